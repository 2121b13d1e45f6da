// The way between subscribers and the API, in a process of its own: it cuts connections at random when it is told to.
import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { settingsOf } from "../child.ts";

/** What the process is told first, and then whenever some of the event streams are to be cut. */
export type RelaySettings = { url: string };
export type Cut = { share: number };

/** Where it listens; and when the event stream of a job began to flow, and was cut, by the machine's monotonic clock in ns as text. */
export type RelayReady = { url: string };
export type StreamMoment = { id: string; what: "open" | "cut"; at: string };

const streams = new Map<Socket, string>();
const { url } = await settingsOf<RelaySettings>(async () => undefined);
const { hostname, port } = new URL(url);
const tell = (id: string, what: StreamMoment["what"]): void => {
  const moment: StreamMoment = { id, what, at: String(process.hrtime.bigint()) };
  process.send?.(moment);
};

const relay = createServer({ noDelay: true }, (near) => {
  const far = connect({ port: Number(port), host: hostname, noDelay: true });
  let asked: string | undefined;
  near.on("data", (chunk: Buffer) => {
    asked = /^GET \/v1\/jobs\/([^/ ]+)\/events /.exec(chunk.subarray(0, 200).toString("latin1"))?.[1];
    if (asked === undefined) streams.delete(near);
  });
  far.on("data", () => {
    if (asked === undefined) return;
    streams.set(near, asked);
    tell(asked, "open");
    asked = undefined;
  });
  near.pipe(far).pipe(near);
  const end = (): void => {
    streams.delete(near);
    near.destroy();
    far.destroy();
  };
  for (const socket of [near, far]) socket.on("error", end).once("close", end);
});
relay.listen(0, "127.0.0.1");
await once(relay, "listening");

process.on("message", (message) => {
  const { share } = message as Cut;
  for (const [socket, id] of streams) {
    if (Math.random() >= share) continue;
    streams.delete(socket);
    tell(id, "cut");
    socket.resetAndDestroy();
  }
});
const ready: RelayReady = { url: `http://127.0.0.1:${(relay.address() as AddressInfo).port}` };
process.send?.(ready);
process.send?.("ready");
