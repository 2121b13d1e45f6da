import { createSocket } from "node:dgram";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { createServer, type AddressInfo } from "node:net";
import { join } from "node:path";
import { parseMarks, type Mark, type MarksTo } from "./work/command.ts";

/** Where commands in pods leave their marks, outside everything that is tested. */
export type Collector = {
  /** How a command reaches it. */
  to: MarksTo;
  marks: () => Mark[];
  stop: () => Promise<void>;
};

/** Where pods see the folder of {@link collectInFolder}. */
export const marksMount = "/marks";

/** Marks in a folder of this machine that pods see. `mountedAt`: where. Appending a short line is one write. */
export async function collectInFolder(dir: string, mountedAt: string): Promise<Collector> {
  await mkdir(dir, { recursive: true });
  await writeFile(join(dir, "log"), "");
  return {
    to: { file: `${mountedAt}/log` },
    marks: () => parseMarks(readFileSync(join(dir, "log"), "utf8")),
    stop: async () => undefined,
  };
}

/** Marks told over the network: a listener at this machine's address towards the node. It answers by closing when a mark is kept. */
export async function collectFromNetwork(nodeAddress: string): Promise<Collector> {
  const host = await addressTowards(nodeAddress);
  const lines: string[] = [];
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    let text = "";
    socket.setEncoding("utf8").on("data", (more: string) => {
      text += more;
      if (!text.endsWith("\n")) return;
      lines.push(text);
      text = "";
      socket.end();
    });
    socket.on("end", () => socket.end());
    socket.on("error", () => undefined); // a pod that is gone
  });
  server.listen(0, host);
  await once(server, "listening");
  return {
    to: { host, port: (server.address() as AddressInfo).port },
    marks: () => parseMarks(lines.join("")),
    stop: async () => void server.close(),
  };
}

async function addressTowards(other: string): Promise<string> {
  const socket = createSocket("udp4");
  socket.connect(9, other); // sends nothing: the kernel only chooses the way
  await once(socket, "connect");
  const { address } = socket.address();
  socket.close();
  return address;
}
