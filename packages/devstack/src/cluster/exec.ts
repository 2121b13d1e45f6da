import type { IncomingMessage, Server } from "node:http";
import { once } from "node:events";
import { Transform } from "node:stream";
import type { Duplex, Readable } from "node:stream";
import { WebSocketServer } from "ws";
import type { RawData, WebSocket } from "ws";
import { ApiError } from "./api-error.ts";
import type { ExecQuery } from "./exec-target.ts";
import { PlainError } from "./exec-target.ts";
import type { JsonMap } from "./object.ts";
import { cannotStart } from "./sandbox.ts";
import type { Sandbox } from "./sandbox.ts";
import type { Fault, Script } from "./script.ts";

const PROTOCOLS = ["v5.channel.k8s.io", "v4.channel.k8s.io"];
const STDIN = 0;
const STDOUT = 1;
const STDERR = 2;
const ERROR = 3;
const CLOSE = 255;
const CHUNK = 32 * 1024;
const START_FAILURE = "nsenter: failed to execute ";
const HIGH_WATER = 1024 * 1024;

/** What an exec is to run in. */
export type ExecRun = { sandbox: Sandbox; query: ExecQuery; namespace: string };

/** Answers the upgrades of execs over WebSocket: `target` finds the container, or throws what to refuse it with. */
export function serveExec(server: Server, script: Script, target: (url: URL) => ExecRun): { cut: () => void; stop: () => void } {
  const sockets = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    handleProtocols: (offered) => PROTOCOLS.find((one) => offered.has(one)) ?? false,
  });
  server.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    try {
      const found = target(new URL(request.url ?? "/", "http://cluster"));
      sockets.handleUpgrade(request, socket, head, (client) => run(client, found, script));
    } catch (error) {
      refuse(socket, error);
    }
  });
  const cut = (): void => {
    for (const client of sockets.clients) client.terminate();
  };
  return {
    cut,
    stop: () => {
      cut();
      sockets.close();
    },
  };
}

function refuse(socket: Duplex, error: unknown): void {
  const isStatus = error instanceof ApiError;
  const code = isStatus || error instanceof PlainError ? error.httpCode : 500;
  const body = isStatus ? JSON.stringify(error.status) : error instanceof Error ? error.message : String(error);
  const type = isStatus ? "application/json" : "text/plain; charset=utf-8";
  const head = [`HTTP/1.1 ${code} Refused`, `Content-Type: ${type}`, `Content-Length: ${Buffer.byteLength(body)}`, "Connection: close"];
  socket.on("error", () => {});
  socket.end(`${head.join("\r\n")}\r\n\r\n${body}`);
}

function run(client: WebSocket, { sandbox, query, namespace }: ExecRun, script: Script): void {
  const child = sandbox.exec(query.command);
  const fault = new ExecFault(client, script.take("exec", { namespace }));
  let words = "";
  const isStartFailure = (): boolean => words.startsWith(START_FAILURE);
  forward(client, child.stdout, query.stdout ? STDOUT : undefined, fault);
  // What nsenter says of a program that is not there comes back as the error it is, not as the program's words. It says it in
  // two pieces, so what begins like that is held back until it is plain what it is.
  const stderr = child.stderr.pipe(
    new Transform({
      transform(chunk: Buffer, _encoding, done) {
        const open = words === "" || START_FAILURE.startsWith(words);
        if (open || isStartFailure()) words += chunk.toString("latin1");
        if (!open) done(null, isStartFailure() ? undefined : chunk);
        else done(null, START_FAILURE.startsWith(words) || isStartFailure() ? undefined : Buffer.from(words, "latin1"));
      },
      flush(done) {
        done(null, words !== START_FAILURE && START_FAILURE.startsWith(words) ? Buffer.from(words, "latin1") : undefined);
      },
    }),
  );
  const drained = once(stderr, "end").catch(() => {});
  forward(client, stderr, query.stderr ? STDERR : undefined, fault);
  child.stdin.on("error", () => {}).once("close", () => client.resume());
  if (!query.stdin) child.stdin.end();
  client.on("message", (data: RawData) => {
    const bytes = Array.isArray(data) ? Buffer.concat(data) : Buffer.isBuffer(data) ? data : Buffer.from(data);
    if (bytes[0] === STDIN && bytes.length > 1 && !child.stdin.writableEnded && !child.stdin.write(bytes.subarray(1))) {
      client.pause();
      child.stdin.once("drain", () => client.resume());
    }
    if (bytes[0] === CLOSE && bytes[1] === STDIN) child.stdin.end();
  });
  client.on("error", () => {});
  // A client that is gone ends the command's input and no more: the command goes on, and nobody reads it.
  client.once("close", () => {
    fault.clear();
    child.stdin.end();
    child.stdout.resume();
    stderr.resume();
  });
  child.once("error", (error) => finish(client, startStatus(query.command[0] ?? "", error.message.replace("ENOENT", "No such file"))));
  child.once("close", (code, signal) => {
    fault.clear();
    const failed = isStartFailure() && (code === 127 || code === 126);
    const status = failed ? startStatus(query.command[0] ?? "", words) : endStatus(code ?? signalCode(signal));
    void drained.then(() => finish(client, status));
  });
}

function forward(client: WebSocket, stream: Readable, channel: number | undefined, fault: ExecFault): void {
  stream.on("data", (data: Buffer) => {
    if (channel === undefined) return;
    for (let at = 0; at < data.length; at += CHUNK) {
      if (client.readyState === client.OPEN) client.send(Buffer.concat([Buffer.from([channel]), data.subarray(at, at + CHUNK)]));
    }
    fault.count(data.length);
    // A client that reads slowly slows the command down.
    if (client.readyState !== client.OPEN || client.bufferedAmount <= HIGH_WATER) return;
    stream.pause();
    whenDrained(client, () => stream.resume());
  });
}

function whenDrained(client: WebSocket, then: () => void): void {
  const timer = setInterval(() => {
    if (client.readyState === client.OPEN && client.bufferedAmount > HIGH_WATER / 2) return;
    clearInterval(timer);
    then();
  }, 5);
}

function finish(client: WebSocket, status: JsonMap | undefined): void {
  if (client.readyState !== client.OPEN) return;
  if (status) client.send(Buffer.concat([Buffer.from([ERROR]), Buffer.from(JSON.stringify({ metadata: {}, ...status }))]));
  client.close(1000);
}

// Ends an exec's connection early, as the script says.
class ExecFault {
  readonly #client: WebSocket;
  readonly #fault: Extract<Fault, { at: "exec" }> | undefined;
  readonly #timer: NodeJS.Timeout | undefined;
  #sent = 0;

  constructor(client: WebSocket, fault: Extract<Fault, { at: "exec" }> | undefined) {
    this.#client = client;
    this.#fault = fault;
    if (fault && (fault.afterMs !== undefined || fault.afterBytes === undefined))
      this.#timer = setTimeout(() => this.#strike(), fault.afterMs ?? 0);
  }

  count(bytes: number): void {
    this.#sent += bytes;
    if (this.#fault?.afterBytes !== undefined && this.#sent >= this.#fault.afterBytes) this.#strike();
  }

  clear(): void {
    clearTimeout(this.#timer);
  }

  #strike(): void {
    if (this.#fault?.end === "cut") this.#client.terminate();
    else finish(this.#client, this.#fault?.end === "success" ? { status: "Success" } : undefined);
  }
}

function endStatus(code: number): JsonMap {
  if (code === 0) return { status: "Success" };
  const message = `command terminated with non-zero exit code: command terminated with exit code ${code}`;
  return { status: "Failure", message, reason: "NonZeroExitCode", details: { causes: [{ reason: "ExitCode", message: String(code) }] } };
}

function startStatus(name: string, words: string): JsonMap {
  const id = Array.from({ length: 64 }, () => Math.floor(Math.random() * 16).toString(16)).join("");
  const runc = `OCI runtime exec failed: exec failed: ${cannotStart(name, words)}`;
  const text = `error executing command in container: failed to exec in container: failed to start exec "${id}": ${runc}`;
  // The node says it, and the API server says it again.
  const message = `Internal error occurred: Internal error occurred: ${text}`;
  return { status: "Failure", message, reason: "InternalError", details: { causes: [{ message: text }] }, code: 500 };
}

const SIGNALS: Record<string, number> = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGQUIT: 3,
  SIGILL: 4,
  SIGABRT: 6,
  SIGFPE: 8,
  SIGSEGV: 11,
  SIGPIPE: 13,
  SIGALRM: 14,
  SIGTERM: 15,
};

const signalCode = (signal: NodeJS.Signals | null): number => 128 + (SIGNALS[signal ?? ""] ?? 9);
