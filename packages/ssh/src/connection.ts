import { connect, type Socket } from "node:net";
import ssh2, { type Client, type ClientChannel, type ClientErrorExtensions, type PublicKeyAuthMethod } from "ssh2";
import type { HostAddress, HostKeys } from "./host-keys.ts";
import type { PrivateKey } from "./keys.ts";
import type { Cause } from "./outcome.ts";
import { type Remote, wrapChannel } from "./remote.ts";

/** Whom to reach, as whom, and how long to wait for what. */
export type Target = HostAddress & {
  username: string;
  key: PrivateKey;
  hostKeys: HostKeys;
  /** TCP, key exchange and login together. */
  dialTimeoutMs: number;
  /** The answer to one exec request; without it the connection is given up. */
  answerTimeoutMs: number;
  /** Silence after which the host is asked for a sign of life; two without an answer end the connection. */
  keepaliveMs: number;
  /** How long a channel stays after the command's exit when nothing moves. */
  lingerMs: number;
};

/** What came of an exec request. `refused`: the host has no session left on this connection. */
export type Opened =
  | { kind: "open"; remote: Remote }
  | { kind: "not-started"; message: string; refused: boolean }
  | { kind: "unknown"; message: string };

/** A connection that is logged in. It never throws and has one set of listeners for life. */
export class Connection {
  readonly bornAt = performance.now();
  readonly #client: Client;
  readonly #socket: Socket;
  readonly #target: Target;
  readonly #remotes = new Set<Remote>();
  readonly #lost = Promise.withResolvers<string>();
  /** Resolves with the reason once the connection is gone. */
  readonly lost = this.#lost.promise;
  #reason: string | undefined;

  constructor(client: Client, socket: Socket, target: Target) {
    this.#client = client;
    this.#socket = socket;
    this.#target = target;
    client.on("error", (error) => this.destroy(error.message));
    client.on("end", () => this.destroy("the host closed the connection"));
    client.on("close", () => this.destroy("the connection was closed"));
  }

  /** False from the first sign that it is gone. */
  get alive(): boolean {
    return this.#reason === undefined;
  }

  /** Requests a command line. Only `not-started` is known never to have run. */
  exec(line: string): Promise<Opened> {
    return new Promise((resolve) => {
      const timer = setTimeout(
        () => this.destroy(`no answer to an exec request within ${this.#target.answerTimeoutMs} ms`),
        this.#target.answerTimeoutMs,
      );
      const answer = (error: Error | undefined, channel?: ClientChannel): void => {
        clearTimeout(timer);
        resolve(channel ? { kind: "open", remote: this.#hold(channel) } : classify(error));
      };
      try {
        this.#client.exec(line, answer);
      } catch (error) {
        answer(error instanceof Error ? error : new Error(String(error)));
      }
    });
  }

  /** Says goodbye; destroys the socket if the host does not answer within a second. */
  async end(): Promise<void> {
    if (!this.alive) return;
    const timer = setTimeout(() => this.destroy("closed by this side"), 1000);
    this.#client.end();
    await this.lost;
    clearTimeout(timer);
  }

  /** Drops the connection at once. Its commands live on, on the host. The socket's own destroy, because ssh2's does nothing on a socket that is half closed. */
  destroy(reason: string): void {
    if (!this.alive) return;
    this.#reason = reason;
    this.#socket.destroy();
    for (const remote of this.#remotes) remote.cut();
    this.#lost.resolve(reason);
  }

  #hold(channel: ClientChannel): Remote {
    const remote = wrapChannel(channel, this.#target.lingerMs);
    this.#remotes.add(remote);
    void remote.released.then(() => this.#remotes.delete(remote));
    return remote;
  }
}

// "Unable to exec" comes also when the request was sent and the connection went before the answer: that command may have run.
function classify(error: (Error & { reason?: unknown }) | undefined): Opened {
  const message = error?.message ?? "no answer";
  if (message === "Unable to exec") return { kind: "unknown", message: "the exec request was sent and not confirmed" };
  return { kind: "not-started", message, refused: typeof error?.reason === "number" };
}

/** Connects and logs in. Never rejects: what went wrong is the value. */
export function dial(target: Target, signal: AbortSignal): Promise<Connection | Cause> {
  const where = `${target.host} port ${target.port}`;
  return new Promise((resolve) => {
    const client = new ssh2.Client();
    const socket = connect({ host: target.host, port: target.port, noDelay: true });
    let refusal: string | null = null;

    const settle = (result: Connection | Cause): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", onAbort);
      if (!(result instanceof Connection)) socket.destroy();
      resolve(result);
    };
    const unavailable = (why: string, cause?: unknown): void =>
      settle({ kind: "unavailable", message: `cannot reach ${where}: ${why}`, ...(cause !== undefined && { cause }) });
    const onAbort = (): void => unavailable("given up");
    const timer = setTimeout(() => unavailable(`no login within ${target.dialTimeoutMs} ms`), target.dialTimeoutMs);
    signal.addEventListener("abort", onAbort, { once: true });

    // More than one error may come, and an error without a listener would end the process: these stay for the client's life.
    client.on("error", (error) => {
      if (refusal !== null) settle({ kind: "host-key", message: refusal });
      else if (isLoginRefusal(error))
        settle({
          kind: "auth",
          message: `${where} refused the login of ${target.username} with the ${target.key.type} key ${target.key.fingerprint}`,
        });
      else unavailable(error.message, error);
    });
    // A host that says its banner and hangs up gives no error at all.
    client.on("end", () => unavailable("it hung up before the login was done"));
    client.on("close", () => unavailable("it hung up before the login was done"));
    client.on("ready", () => settle(new Connection(client, socket, target)));

    const login: PublicKeyAuthMethod = { type: "publickey", username: target.username, key: target.key.forLogin() };
    client.connect({
      sock: socket,
      username: target.username,
      // Only the key, as an object: no try without it, no parsing of it at each dial.
      authHandler: [login],
      // A synchronous boolean: ssh2 would take a promise for a yes.
      hostVerifier: (key: Buffer) => (refusal = target.hostKeys.refusal(target, key)) === null,
      algorithms: { serverHostKey: target.hostKeys.algorithms(target), compress: ["none"] },
      keepaliveInterval: target.keepaliveMs,
      keepaliveCountMax: 2,
      readyTimeout: 0,
    });
  });
}

function isLoginRefusal(error: Error & ClientErrorExtensions & { code?: unknown }): boolean {
  return error.level === "client-authentication" || (typeof error.code === "number" && /authentication fail/i.test(error.message));
}
