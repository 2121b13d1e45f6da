import { existsSync } from "node:fs";
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { keep } from "../keeper.ts";
import { until } from "../until.ts";
import type { Sandbox } from "./sandbox.ts";

/** Asks servers in a pod's network whether they are there. */
export type Prober = {
  /** Undefined if the port (or the URL, in which HOST stands for the pod) answers in time, else why not, in the kubelet's words. */
  failure: (target: { port: number; url?: string }, timeoutMs: number) => Promise<string | undefined>;
  stop: () => void;
};

// Runs in a pod's network, which only a UNIX socket leads into: each connection asks one question and gets one answer.
const PROGRAM = `
const [path, host] = process.argv.slice(1);
const net = require("node:net");
const dialled = (port, { code }) => "dial tcp " + host + ":" + port + ": " +
  (code === "ECONNREFUSED" ? "connect: connection refused" : code === "ETIMEDOUT" ? "i/o timeout" : String(code));
const late = { code: "ETIMEDOUT" };
function tcp({ port, timeoutMs }, end) {
  const socket = net.connect({ host, port });
  socket.setTimeout(timeoutMs, () => socket.destroy(late));
  socket.once("connect", () => { socket.destroy(); end(""); }).once("error", (error) => end(dialled(port, error)));
}
function http({ port, url, timeoutMs }, end) {
  const where = url.replace("HOST", host);
  const get = require(where.startsWith("https") ? "node:https" : "node:http").get;
  const said = (words) => end('Get "' + where + '": ' + words);
  const request = get(where, { agent: false, rejectUnauthorized: false, headers: { "user-agent": "kube-probe/1.36", accept: "*/*" } }, (response) => {
    const { statusCode } = response;
    end(statusCode >= 200 && statusCode < 400 ? "" : "HTTP probe failed with statuscode: " + statusCode);
    request.destroy();
  });
  const timer = setTimeout(() => request.destroy(late), timeoutMs);
  request.once("error", (error) => said(error === late ? "context deadline exceeded (Client.Timeout exceeded while awaiting headers)" : dialled(port, error)));
  request.once("close", () => clearTimeout(timer));
}
net.createServer((asker) => {
  asker.on("error", () => {}).once("data", (line) => {
    const question = JSON.parse(line);
    (question.url ? http : tcp)(question, (words) => asker.end(words));
  });
}).listen(path);`;

/** Starts it for the pod of a container; `path` is where its socket may be. */
export async function startProber(sandbox: Sandbox, path: string): Promise<Prober> {
  const kept = await keep(sandbox.inNetwork([process.execPath, "-e", PROGRAM, path, sandbox.address]), { signal: "KILL" });
  void sandbox.exited.then(() => kept.end());
  await until("the way into the pod's network is open", async () => existsSync(path) || undefined);
  return {
    failure: async (target, timeoutMs) => {
      const socket = connect(path);
      socket.write(JSON.stringify({ ...target, timeoutMs }));
      return (await text(socket)) || undefined;
    },
    stop: () => void kept.end(),
  };
}
