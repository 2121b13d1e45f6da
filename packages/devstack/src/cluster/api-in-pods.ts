import { connect, createServer } from "node:net";
import { once } from "node:events";
import { keep } from "../keeper.ts";
import { until } from "../until.ts";
import { API_ADDRESS } from "./sandbox.ts";
import type { Sandbox } from "./sandbox.ts";

// Runs in a pod's network, from which only a UNIX socket leads out.
const PROGRAM = `
const [path, host] = process.argv.slice(1);
const net = require("node:net");
const server = net.createServer((inside) => {
  const outside = net.connect(path);
  const close = () => { inside.destroy(); outside.destroy(); };
  for (const socket of [inside, outside]) socket.once("error", close).once("close", close);
  inside.pipe(outside).pipe(inside);
});
server.listen(443, host, () => console.log("listens"));`;

/** The way of pods to the API server, by a socket at `path` and a process in each pod's network. */
export function serveApiInPods(path: string): { to: (port: number) => void; give: (sandbox: Sandbox) => Promise<void>; stop: () => void } {
  let port = 0;
  const server = createServer((inside) => {
    const api = connect(port, "127.0.0.1");
    const close = (): void => {
      inside.destroy();
      api.destroy();
    };
    for (const socket of [inside, api]) socket.once("error", close).once("close", close);
    inside.pipe(api).pipe(inside);
  }).listen(path);
  const listens = once(server, "listening");
  return {
    to: (number) => (port = number),
    give: async (sandbox) => {
      await listens;
      const kept = await keep(sandbox.inNetwork([process.execPath, "-e", PROGRAM, path, API_ADDRESS]), { signal: "KILL" });
      void sandbox.exited.then(async () => kept.end());
      await until("the API server is in the pod's network", async () => kept.output().includes("listens") || undefined);
    },
    stop: () => server.close(),
  };
}
