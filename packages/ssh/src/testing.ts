// The two hosts that every test of this package must pass on, behind a proxy that can cut and stall.
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { newKeyPair, startSshHost } from "@podq/devstack";
import { createHostKeys } from "./host-keys.ts";
import { loadKey } from "./keys.ts";
import { createPool, type Pool, type PoolOptions } from "./pool.ts";

const SSHD = "/usr/sbin/sshd";

/** What a test may ask of a host. `options` (sshd's own) and `authorized` (further public keys) are for OpenSSH alone. */
type HostWishes = { maxSessions?: number; options?: string[]; authorized?: string[] };

/** A host, as a pool sees it: through the proxy. */
export type TestHost = {
  port: number;
  username: string;
  privateKey: string;
  /** The line of known_hosts for the proxy's port. */
  knownHosts: string;
  proxy: Proxy;
  /** A folder that commands may write to. */
  folder: string;
  stop(): Promise<void>;
};

/** A kind of host, and why it cannot be started here, if it cannot. */
export type HostKind = { name: string; missing: string | undefined; start: (wishes?: HostWishes) => Promise<TestHost> };

/** OpenSSH's sshd, as the user who runs the tests. */
export const openSsh: HostKind = { name: "OpenSSH", missing: missingOpenSsh(), start: startOpenSsh };

/** Every kind of host there is a test for. */
export const hostKinds: HostKind[] = [{ name: "ssh2's Server", missing: undefined, start: startInProcess }, openSsh];

/** A pool on a test host, with short times; `events` collects what it told. */
export function poolOn(
  host: Pick<TestHost, "port" | "username" | "privateKey" | "knownHosts">,
  options: Partial<PoolOptions> = {},
): Pool & { events: string[] } {
  const events: string[] = [];
  const pool = createPool({
    host: "127.0.0.1",
    port: host.port,
    username: host.username,
    key: loadKey({ text: host.privateKey }).key,
    hostKeys: createHostKeys({ lines: host.knownHosts }),
    onEvent: (event) => events.push(event.event),
    ...options,
  });
  return { ...pool, events };
}

/** True while a process of the host runs; one that is over and that nobody has collected yet does not. */
export function runs(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) [ZX]/s.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
}

/** A shell script that first writes its pid to a file of the host's folder, and the pid once it is there. */
export function scriptWithPid(host: TestHost, text: string): { argv: string[]; pid: () => Promise<number> } {
  const file = join(host.folder, `pid-${randomUUID()}`);
  const read = (): number => (existsSync(file) ? Number(readFileSync(file, "utf8")) : 0);
  const pid = async (): Promise<number> => {
    await until(() => read() > 0, "the script wrote its pid");
    return read();
  };
  return { argv: ["sh", "-c", `echo $$ > ${file}; ${text}`], pid };
}

/** Waits until something holds, 10 s at most. */
export async function until(holds: () => boolean, what: string): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!holds()) {
    if (performance.now() > deadline) throw new Error(`not within 10 s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

async function startInProcess({ maxSessions }: HostWishes = {}): Promise<TestHost> {
  const env = { PATH: "/usr/local/bin:/usr/bin:/bin", HOME: tmpdir() };
  const host = await startSshHost({ env, ...(maxSessions !== undefined && { maxSessions }) });
  const key = host.knownHosts.split(" ").slice(1).join(" ");
  return behindProxy(host.port, { username: host.username, privateKey: host.privateKey, key }, () => host.stop());
}

async function startOpenSsh({ maxSessions = 10, options = [], authorized: others = [] }: HostWishes = {}): Promise<TestHost> {
  const home = mkdtempSync(join(tmpdir(), "podq-sshd-"));
  const hostKey = newKeyPair();
  const login = newKeyPair();
  const [hostKeyFile, authorized] = [join(home, "host"), join(home, "authorized")];
  writeFileSync(hostKeyFile, hostKey.private, { mode: 0o600 });
  writeFileSync(authorized, `${[login.public, ...others].join("\n")}\n`, { mode: 0o600 });
  if (userInfo().uid === 0) mkdirSync("/run/sshd", { recursive: true });
  const port = await freePort();
  const marker = `PODQ_TEST_SSHD=${randomUUID()}`;
  const all = [
    `Port=${port}`,
    "ListenAddress=127.0.0.1",
    `HostKey=${hostKeyFile}`,
    `AuthorizedKeysFile=${authorized}`,
    "PidFile=none",
    "UsePAM=no",
  ];
  // SHLVL: bash then does not read the .bashrc of whoever runs the tests, which may do anything and take any time.
  all.push("StrictModes=no", "PasswordAuthentication=no", `MaxSessions=${maxSessions}`, `SetEnv=${marker} SHLVL=1`, ...options);
  const sshd = spawn(SSHD, ["-D", "-e", "-f", "/dev/null", ...all.flatMap((option) => ["-o", option])], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  await listening(sshd);
  const identity = { username: userInfo().username, privateKey: login.private, key: hostKey.public };
  return behindProxy(port, identity, async () => {
    const over = new Promise((resolve) => sshd.once("exit", resolve));
    sshd.kill("SIGTERM");
    await over;
    endMarked(marker);
    rmSync(home, { recursive: true });
  });
}

type Identity = { username: string; privateKey: string; key: string };

async function behindProxy(target: number, { username, privateKey, key }: Identity, stop: () => Promise<void>): Promise<TestHost> {
  const proxy = await startProxy(target);
  const folder = mkdtempSync(join(tmpdir(), "podq-ssh-"));
  return {
    port: proxy.port,
    username,
    privateKey,
    knownHosts: `[127.0.0.1]:${proxy.port} ${key}`,
    proxy,
    folder,
    stop: async () => {
      await proxy.stop();
      await stop();
      rmSync(folder, { recursive: true });
    },
  };
}

/** A TCP proxy on 127.0.0.1. */
type Proxy = {
  port: number;
  /** TCP connections that were ever opened, and that are open now. */
  total(): number;
  open(): number;
  /** Resets one connection, or all. */
  cut(which?: "oldest"): void;
  /** Lets nothing through any more, in both directions, without closing; new connections too. */
  stall(): void;
  resume(): void;
  /** Refuses connections, and takes them again at the same port. */
  down(): Promise<void>;
  up(): Promise<void>;
  stop(): Promise<void>;
};

async function startProxy(target: number): Promise<Proxy> {
  const pairs = new Set<[Socket, Socket]>();
  let total = 0;
  let stalled = false;
  const serve = (near: Socket): void => {
    total += 1;
    const far = connect({ host: "127.0.0.1", port: target, noDelay: true });
    const pair: [Socket, Socket] = [near, far];
    pairs.add(pair);
    join2(near, far, () => pairs.delete(pair));
    if (stalled) pair.forEach((socket) => socket.pause());
  };
  let server = createServer({ noDelay: true }, serve);
  const port = await listen(server, 0);
  const cut = (which?: "oldest"): void =>
    [...pairs].slice(0, which && 1).forEach((pair) => pair.forEach((socket) => socket.resetAndDestroy()));
  const down = async (): Promise<void> => {
    const closed = new Promise((resolve) => server.close(resolve));
    cut();
    await closed;
  };
  return {
    port,
    total: () => total,
    open: () => pairs.size,
    cut,
    stall: () => {
      stalled = true;
      pairs.forEach((pair) => pair.forEach((socket) => socket.pause()));
    },
    resume: () => {
      stalled = false;
      pairs.forEach((pair) => pair.forEach((socket) => socket.resume()));
    },
    down,
    up: async () => {
      server = createServer({ noDelay: true }, serve);
      await listen(server, port);
    },
    stop: async () => {
      if (server.listening) await down();
    },
  };
}

function join2(near: Socket, far: Socket, over: () => void): void {
  for (const [from, to] of [
    [near, far],
    [far, near],
  ] as const) {
    from.on("data", (data) => {
      if (to.write(data)) return;
      from.pause();
      to.once("drain", () => from.resume());
    });
    from.on("end", () => to.end());
    from.on("error", () => to.destroy());
    from.on("close", () => {
      to.destroy();
      over();
    });
  }
}

function listen(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", () => {
      const address = server.address();
      resolve(typeof address === "object" && address ? address.port : 0);
    });
  });
}

async function freePort(): Promise<number> {
  const server = createServer();
  const port = await listen(server, 0);
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function listening(sshd: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    let said = "";
    sshd.stderr?.on("data", (data: Buffer) => {
      said += data.toString();
      if (said.includes("Server listening")) resolve();
    });
    sshd.once("exit", () => reject(new Error(`sshd did not start: ${said}`)));
  });
}

function missingOpenSsh(): string | undefined {
  if (!existsSync(SSHD)) return `${SSHD} is not installed`;
  const shell = userInfo().shell ?? "";
  if (spawnSync(shell, ["-c", "exit 0"]).status !== 0) return `the login shell of this user (${shell}) runs no commands`;
  return undefined;
}

// Commands that a test left behind on purpose, as those of a lost connection.
function endMarked(marker: string): void {
  for (const pid of readdirSync("/proc").map(Number).filter(Boolean)) {
    try {
      if (readFileSync(`/proc/${pid}/environ`).includes(marker)) process.kill(pid, "SIGKILL");
    } catch {} // gone, or of another user
  }
}
