// An SSH host in this process: ssh2's Server, made to behave as OpenSSH does for a login that is not root, in everything
// that a pool of connections meets: session limit, slots that live as long as their process, exits, signals, loss.
import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import type { Readable } from "node:stream";
import ssh2, { type AuthContext, type Connection, type ParsedKey, type ServerChannel, type Session } from "ssh2";

/** What commands on the host see, and how the host behaves. */
export type SshHostOptions = {
  /** The whole environment of every command. */
  env: Record<string, string>;
  /** Port on 127.0.0.1; default any free one. */
  port?: number;
  /** The login; default `podq`. */
  username?: string;
  /** Sessions of one connection, as OpenSSH's MaxSessions; default 10. */
  maxSessions?: number;
  /** Host key (private, OpenSSH text), to come back as the same host; default a new ed25519 key. */
  hostKey?: string;
  /** Client key (private, OpenSSH text) that may log in; default a new ed25519 key. */
  clientKey?: string;
};

/** A running SSH host. */
export type SshHost = {
  host: string;
  port: number;
  username: string;
  /** The private key that may log in, OpenSSH text. */
  privateKey: string;
  /** The host's own private key, OpenSSH text. */
  hostKey: string;
  /** The line of known_hosts for this host. */
  knownHosts: string;
  /** TCP connections that are open now. */
  connections(): number;
  /** Drops every TCP connection; their commands live on, as on a real host. */
  cut(): void;
  /** Falls silent: connections stay open, nothing is read or answered. */
  stall(): void;
  /** Ends the silence. */
  resume(): void;
  /** Ends every connection and every process that was started through the host. */
  stop(): Promise<void>;
};

type Host = { env: Record<string, string>; marker: string; maxSessions: number; children: Set<ChildProcess> };

/** Starts an SSH host on 127.0.0.1 that runs exec requests with `/bin/sh -c`; it listens when this resolves. */
export async function startSshHost(options: SshHostOptions): Promise<SshHost> {
  const username = options.username ?? "podq";
  const hostKey = options.hostKey ?? newKeyPair().private;
  const privateKey = options.clientKey ?? newKeyPair().private;
  const authorized = parsed(privateKey);
  const marker = `PODQ_SSH_HOST=${randomUUID()}`;
  const host: Host = { env: options.env, marker, maxSessions: options.maxSessions ?? 10, children: new Set() };

  const ssh = new ssh2.Server({ hostKeys: [hostKey] }, (connection) => serve(connection, { host, username, authorized }));
  const sockets = new Set<Socket>();
  let stalled = false;
  // The sockets are accepted here and handed over, because ssh2's Server offers no way to get at them later.
  const tcp = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    socket.on("error", () => {}); // a reset is this host's daily life
    ssh.injectSocket(socket);
    if (stalled) hold(socket);
  });
  await listen(tcp, options.port ?? 0);
  const address = tcp.address();
  const port = typeof address === "object" && address ? address.port : 0;

  return {
    host: "127.0.0.1",
    port,
    username,
    privateKey,
    hostKey,
    knownHosts: `[127.0.0.1]:${port} ${parsed(hostKey).type} ${parsed(hostKey).getPublicSSH().toString("base64")}`,
    connections: () => sockets.size,
    cut: () => sockets.forEach((socket) => socket.destroy()),
    stall: () => {
      stalled = true;
      sockets.forEach(hold);
    },
    resume: () => {
      stalled = false;
      sockets.forEach((socket) => {
        socket.uncork();
        socket.resume();
      });
    },
    stop: async () => {
      const closed = new Promise<void>((resolve) => tcp.close(() => resolve()));
      sockets.forEach((socket) => socket.destroy());
      const ended = [...host.children].map((child) => new Promise((resolve) => child.once("exit", resolve)));
      endProcesses(host);
      await Promise.all([closed, ...ended]);
      endProcesses(host); // whatever was forked in between
    },
  };
}

type Encryption = { passphrase: string; cipher: string; rounds: number };

/** A new ed25519 key pair, OpenSSH text. One in 256 that ssh2 makes is broken (its public half begins with a zero byte): that one is made anew. */
export function newKeyPair(encryption?: Encryption): { private: string; public: string } {
  for (;;) {
    const pair = ssh2.utils.generateKeyPairSync("ed25519", encryption);
    if (!(ssh2.utils.parseKey(pair.private, encryption?.passphrase) instanceof Error)) return pair;
  }
}

type Login = { host: Host; username: string; authorized: ParsedKey };

function serve(connection: Connection, login: Login): void {
  let sessions = 0;
  connection.on("error", () => {}); // what a client does wrong ends its connection, and nothing else
  connection.on("authentication", (attempt: AuthContext) => (mayLogIn(attempt, login) ? attempt.accept() : attempt.reject(["publickey"])));
  connection.on("session", (accept, reject) => {
    if (sessions >= login.host.maxSessions) return reject();
    sessions += 1;
    const free = once(() => (sessions -= 1));
    const session: Session = accept();
    let started = false;
    session.on("exec", (acceptExec, _reject, { command }) => {
      started = true;
      runCommand(login.host, command, { session, channel: acceptExec(), free });
    });
    session.once("close", () => {
      if (!started) free();
    });
  });
}

function mayLogIn(attempt: AuthContext, { username, authorized }: Login): boolean {
  if (attempt.method !== "publickey" || attempt.username !== username) return false;
  if (attempt.key.algo !== authorized.type && authorized.type !== "ssh-rsa") return false;
  if (!attempt.key.data.equals(authorized.getPublicSSH())) return false;
  if (!attempt.signature || !attempt.blob) return true; // the client only asks whether the key would do
  const good: unknown = authorized.verify(attempt.blob, attempt.signature, attempt.hashAlgo); // an Error when it cannot tell
  return good === true;
}

type Exec = { session: Session; channel: ServerChannel; free: () => void };

type Writer = { write(to: NodeJS.WritableStream, data: Buffer): Promise<void>; written(): Promise<void> };

function runCommand(host: Host, command: string, { session, channel, free }: Exec): void {
  const [name = "", value = ""] = host.marker.split("=");
  const child = spawn("/bin/sh", ["-c", command], { detached: true, env: { ...host.env, [name]: value }, stdio: "pipe" });
  host.children.add(child);
  const close = delayedClose(channel);
  const writer = oneWriterAtATime(channel);
  const over = (code: number | null, signal: NodeJS.Signals | null): void => {
    host.children.delete(child);
    if (code !== null) channel.exit(code);
    else if (signal) channel.exit(signal.slice(3));
    free();
    close.allow();
  };
  child.once("exit", over);
  child.once("error", () => {
    over(127, null);
    channel.end();
  });
  child.stdin.on("error", () => {}); // a command that leaves without reading its stdin
  channel.pipe(child.stdin);
  forward(child.stdout, (data) => writer.write(channel, data));
  forward(child.stderr, (data) => writer.write(channel.stderr, data));
  child.once("close", () => void writer.written().then(() => channel.end()));
  session.on("signal", (_accept, _reject, { name: signal }) => signalGroup(child, `SIG${signal}`));
  // A closed channel closes the pipes and does not signal the command: it lives until it writes, or reads the end of its stdin.
  channel.once("close", () => {
    child.stdin.destroy();
    child.stdout.destroy();
    child.stderr.destroy();
  });
  channel.on("error", () => {});
}

// OpenSSH answers a close only when the process is over; ssh2's Server would at once.
function delayedClose(channel: ServerChannel): { allow: () => void } {
  const close = channel.close.bind(channel);
  let allowed = false;
  let wanted = false;
  channel.close = () => {
    wanted = true;
    if (allowed) close();
  };
  return {
    allow: () => {
      allowed = true;
      if (wanted) close();
    },
  };
}

// stdout and stderr share one window, and ssh2 keeps what it could not send of either until it overwrites it: a stderr that
// waits would make it send an old piece of stdout again. So one write at a time, and nothing is left behind by it.
function oneWriterAtATime(channel: ServerChannel): Writer {
  let last: Promise<void> = Promise.resolve();
  const send = (to: NodeJS.WritableStream, data: Buffer): Promise<void> =>
    new Promise((resolve) => {
      channel.once("close", resolve); // a write on a closed channel never calls back
      to.write(data, () => {
        channel.off("close", resolve);
        Object.assign(channel, { _chunk: undefined, _chunkcb: undefined, _chunkErr: undefined, _chunkcbErr: undefined });
        resolve();
      });
    });
  return {
    write: (to, data) => (last = last.then(() => send(to, data))),
    written: () => last,
  };
}

function forward(from: Readable, write: (data: Buffer) => Promise<void>): void {
  from.on("data", (data: Buffer) => {
    from.pause();
    void write(data).then(() => from.resume());
  });
}

function signalGroup(child: ChildProcess, signal: string): void {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, signal);
  } catch {} // gone already, or a signal that this system does not know
}

// A command may have left its process group; the marker in its environment finds it all the same, where there is a /proc.
function endProcesses(host: Host): void {
  for (const child of host.children) signalGroup(child, "SIGKILL");
  for (const pid of listProcesses()) {
    try {
      if (readFileSync(`/proc/${pid}/environ`).includes(host.marker)) process.kill(pid, "SIGKILL");
    } catch {} // gone, or of another user
  }
}

function listProcesses(): number[] {
  try {
    return readdirSync("/proc").map(Number).filter(Boolean);
  } catch {
    return [];
  }
}

function hold(socket: Socket): void {
  socket.pause();
  socket.cork();
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", () => resolve());
  });
}

function parsed(key: string): ParsedKey {
  const found = ssh2.utils.parseKey(key);
  if (found instanceof Error) throw found;
  return found;
}

function once(act: () => void): () => void {
  let done = false;
  return () => {
    if (!done) act();
    done = true;
  };
}
