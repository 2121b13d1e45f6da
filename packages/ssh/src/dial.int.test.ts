import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { newKeyPair } from "@podq/devstack";
import ssh2, { type ServerChannel } from "ssh2";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { createHostKeys } from "./host-keys.ts";
import { loadKey } from "./keys.ts";
import type { PoolOptions } from "./pool.ts";
import { hostKinds, openSsh, poolOn, type TestHost, until } from "./testing.ts";

let pools: ReturnType<typeof poolOn>[] = [];
afterEach(async () => {
  await Promise.all(pools.map((pool) => pool.close({ graceMs: 0 })));
  pools = [];
});
const make = (host: Parameters<typeof poolOn>[0], options: Partial<PoolOptions> = {}): ReturnType<typeof poolOn> => {
  const pool = poolOn(host, options);
  pools.push(pool);
  return pool;
};

describe.each(hostKinds)("dialling $name", ({ missing, start }) => {
  let host: TestHost;
  beforeAll(async () => {
    if (!missing) host = await start();
  });
  beforeEach(({ skip }) => {
    if (missing) skip(missing);
  });
  afterAll(() => host?.stop());

  it("is refused with the line to add when the host's key is not known, at once and for all that wait", async () => {
    const pool = make(host, { hostKeys: createHostKeys({}) });
    const all = await Promise.all([pool.run(["true"]), pool.run(["true"]), pool.open(["true"])]);
    for (const failed of all)
      expect(failed).toMatchObject({
        kind: "host-key",
        message: expect.stringContaining(host.knownHosts.split(" ").slice(0, 3).join(" ")),
      });
    expect(host.proxy.total()).toBeLessThanOrEqual(2);
  });

  it("is refused when the key is another than the known one, also if asked to trust on first use, and does not knock again", async () => {
    const other = newKeyPair().public;
    const lines = `${host.knownHosts.split(" ")[0]} ${other}`;
    const pool = make(host, { hostKeys: createHostKeys({ lines, trustOnFirstUse: true }) });
    expect(await pool.run(["true"])).toMatchObject({ kind: "host-key", message: expect.stringContaining("is not the known one") });
    const before = host.proxy.total();
    expect((await Promise.all(Array.from({ length: 20 }, () => pool.run(["true"])))).every((done) => done.kind === "host-key")).toBe(true);
    expect(host.proxy.total()).toBe(before);
    expect(pool.stats().breaker.state).toBe("open");
  });

  it("trusts the first key if asked to, and from then on no other", async () => {
    const file = join(host.folder, "known_hosts");
    const pool = make(host, { hostKeys: createHostKeys({ file, trustOnFirstUse: true }) });
    expect(await pool.run(["true"])).toMatchObject({ kind: "exit", code: 0 });
    expect(await make(host, { hostKeys: createHostKeys({ file }) }).run(["true"])).toMatchObject({ kind: "exit", code: 0 });
  });

  it("is refused with a key that may not log in, once, and says whose", async () => {
    const before = host.proxy.total();
    const key = loadKey({ text: newKeyPair().private }).key;
    const pool = make(host, { key });
    const all = await Promise.all(Array.from({ length: 8 }, () => pool.run(["true"])));
    for (const failed of all)
      expect(failed).toMatchObject({
        kind: "auth",
        stopped: true,
        message: expect.stringContaining(`the login of ${host.username} with the ssh-ed25519 key ${key.fingerprint}`),
      });
    expect(host.proxy.total() - before).toBeLessThanOrEqual(2);
  });

  it("never has more than two dials in flight, so that a host with few places for them drops none", async () => {
    const pool = make(host, { commands: { connections: 8, channels: 1 }, channels: { connections: 8, channels: 1 } });
    const all = await Promise.all(Array.from({ length: 8 }, () => [pool.run(["sleep", "0.3"]), pool.open(["true"])]).flat());
    expect(new Set(all.map((done) => done.kind))).toEqual(new Set(["exit", "open"]));
    expect(pool.events).not.toContain("dial-failed");
  });
});

describe("dialling OpenSSH", () => {
  const { missing, start } = openSsh;
  let hosts: TestHost[] = [];
  beforeEach(({ skip }) => {
    if (missing) skip(missing);
  });
  afterEach(async () => {
    await Promise.all(hosts.map((host) => host.stop()));
    hosts = [];
  });

  it("with several host keys asks for the one that is on file", async () => {
    const folder = mkdtempSync(join(tmpdir(), "podq-rsa-"));
    const rsa = ssh2.utils.generateKeyPairSync("rsa", { bits: 2048 });
    writeFileSync(join(folder, "key"), rsa.private, { mode: 0o600 });
    const host = await start({ options: [`HostKey=${join(folder, "key")}`] });
    hosts.push(host);
    const pool = make(host, { hostKeys: createHostKeys({ lines: `[127.0.0.1]:${host.port} ${rsa.public}` }) });
    expect(await pool.run(["true"])).toMatchObject({ kind: "exit", code: 0 });
    rmSync(folder, { recursive: true });
  });

  it("logs in with encrypted keys of every kind", async () => {
    const locked = { passphrase: "correct horse", cipher: "aes256-ctr", rounds: 4 };
    const pairs = [
      newKeyPair(locked),
      ssh2.utils.generateKeyPairSync("ecdsa", { bits: 384, ...locked }),
      ssh2.utils.generateKeyPairSync("rsa", { bits: 2048, ...locked }),
    ];
    const host = await start({ authorized: pairs.map((pair) => pair.public) });
    hosts.push(host);
    for (const pair of pairs) {
      const { key } = loadKey({ text: pair.private, passphrase: locked.passphrase });
      expect(await make(host, { key }).run(["true"])).toMatchObject({ kind: "exit", code: 0 });
    }
  });

  it("that cuts silent clients keeps a connection whose command has left a child behind", async () => {
    const host = await start({ options: ["ClientAliveInterval=1", "ClientAliveCountMax=2"] });
    hosts.push(host);
    const pool = make(host, { keepaliveMs: 400, commands: { connections: 1, channels: 5 } });
    const long = pool.run(["sleep", "5"]);
    expect(await pool.run(["sh", "-c", "sleep 6 & echo hi"])).toMatchObject({ kind: "exit", code: 0 });
    expect(await long).toMatchObject({ kind: "exit", code: 0 });
    expect(pool.events).toEqual(["connected"]);
  });

  it("survives keys being exchanged anew in the middle of what it carries", async () => {
    const host = await start({ options: ["RekeyLimit=256K"] });
    hosts.push(host);
    const bytes = Buffer.alloc(1_500_000, "rekey");
    const pool = make(host, { keepaliveMs: 20_000 }); // a busy machine takes its time to compute new keys
    const all = await Promise.all([pool.run(["cat"], { stdin: bytes }), pool.run(["cat"], { stdin: bytes })]);
    expect(all.map((done) => done.kind === "exit" && done.stdout.equals(bytes))).toEqual([true, true]);
  });
});

describe("dialling something that is not an SSH host", () => {
  let server: Server;
  let port = 0;
  const serve = async (onSocket: (socket: Socket) => void): Promise<ReturnType<typeof poolOn>> => {
    server = createServer((socket) => {
      socket.on("error", () => {}).resume();
      onSocket(socket);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    port = typeof address === "object" && address ? address.port : 0;
    const key = newKeyPair().private;
    return make({ port, username: "nobody", privateKey: key, knownHosts: "" }, { unreachableMs: 200, dialTimeoutMs: 300 });
  };
  afterEach(() => server.close());

  it.each<[string, (socket: Socket) => void]>([
    ["hangs up at once", (socket) => socket.end()],
    ["resets at once", (socket) => socket.resetAndDestroy()],
    ["says its banner and hangs up, which gives no error at all", (socket) => socket.end("SSH-2.0-OpenSSH_9.2\r\n")],
    ["says nothing, which gives two errors", () => {}],
    ["says its banner and then nothing", (socket) => void socket.write("SSH-2.0-OpenSSH_9.2\r\n")],
    ["speaks HTTP", (socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n")],
    ["has no place left", (socket) => socket.end("Exceeded MaxStartups\r\n")],
    ["sends rubbish after its banner", (socket) => void socket.write(`SSH-2.0-x\r\n${"\0".repeat(5000)}`)],
  ])("is unavailable when it %s", async (_what, behave) => {
    const pool = await serve(behave);
    const sockets: Socket[] = [];
    server.on("connection", (socket) => sockets.push(socket));
    expect(await pool.run(["true"])).toMatchObject({
      kind: "unavailable",
      stopped: true,
      message: expect.stringContaining(`127.0.0.1 port ${port}`),
    });
    await pool.close();
    await until(() => sockets.every((socket) => socket.closed || socket.readableEnded), "every socket is closed from this side");
    sockets.forEach((socket) => socket.destroy());
  });
});

describe("a host that leaves the outcome open", () => {
  let server: Server;
  afterEach(() => server.close());

  // A host whose answer to an exec request is all that the test says it is.
  const serve = async (
    onExec: (socket: Socket, start: () => ServerChannel) => void,
  ): Promise<{ pool: ReturnType<typeof poolOn>; execs: () => number }> => {
    const hostKey = newKeyPair();
    let execs = 0;
    server = createServer((socket) => {
      const ssh = new ssh2.Server({ hostKeys: [hostKey.private] }, (client) => {
        client.on("error", () => {});
        client.on("authentication", (attempt) => attempt.accept());
        client.on("session", (accept) => {
          accept().on("exec", (start, _refuse, { command }) => {
            if (!command.includes("podq-test")) return; // a killer
            execs += 1;
            onExec(socket, start);
          });
        });
      });
      ssh.injectSocket(socket);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    const port = typeof address === "object" && address ? address.port : 0;
    const privateKey = newKeyPair().private;
    const pool = make(
      { port, username: "nobody", privateKey, knownHosts: `[127.0.0.1]:${port} ${hostKey.public}` },
      { killTimeoutMs: 100 },
    );
    return { pool, execs: () => execs };
  };

  it("by going after an exec request and before the answer, gives unknown, and the command is not sent again", async () => {
    const { pool, execs } = await serve((socket) => socket.destroy());
    expect(await pool.run(["podq-test"])).toMatchObject({ kind: "unknown", stopped: false });
    expect(execs()).toBe(1);
  });

  it("by ending a channel with neither exit code nor signal, gives unknown and never success", async () => {
    const { pool, execs } = await serve((_socket, start) => void start().end("output"));
    expect(await pool.run(["podq-test"])).toMatchObject({ kind: "unknown", stdout: Buffer.from("output") });
    expect(execs()).toBe(1);
  });
});
