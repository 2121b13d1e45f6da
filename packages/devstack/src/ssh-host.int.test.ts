import { readdirSync, readFileSync } from "node:fs";
import { connect } from "node:net";
import ssh2, { type Client, type ClientChannel } from "ssh2";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { newKeyPair, type SshHost, startSshHost } from "./ssh-host.ts";

type Done = { code: number | null | undefined; signal: string | undefined; stdout: Buffer; stderr: Buffer };

let host: SshHost;
let clients: Client[] = [];
beforeEach(async () => {
  host = await startSshHost({ env: { PATH: process.env["PATH"] ?? "/usr/bin:/bin", MARK: "here" }, maxSessions: 3 });
});
afterEach(async () => {
  clients.forEach((client) => client.destroy());
  clients = [];
  await host.stop();
});

function login(change: { username?: string; privateKey?: string } = {}): Promise<Client> {
  return new Promise((resolve, reject) => {
    const client = new ssh2.Client();
    clients.push(client);
    client.on("error", reject).on("ready", () => resolve(client));
    client.connect({ host: host.host, port: host.port, username: host.username, privateKey: host.privateKey, ...change });
  });
}

function start(client: Client, command: string): Promise<ClientChannel> {
  return new Promise((resolve, reject) => {
    client.exec(command, (error, channel) => (error ? reject(error) : resolve(channel)));
  });
}

async function run(client: Client, command: string, stdin = ""): Promise<Done> {
  const channel = await start(client, command);
  const pieces: [Buffer[], Buffer[]] = [[], []];
  channel.on("data", (piece: Buffer) => pieces[0].push(piece));
  channel.stderr.on("data", (piece: Buffer) => pieces[1].push(piece));
  channel.end(stdin);
  const [code, signal] = await new Promise<[number | null, string?]>((resolve) =>
    channel.on("close", (...ended: [number | null, string?]) => resolve(ended)),
  );
  return { code, signal, stdout: Buffer.concat(pieces[0]), stderr: Buffer.concat(pieces[1]) };
}

async function until(holds: () => boolean): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!holds()) {
    if (performance.now() > deadline) throw new Error("not within 10 s");
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

function running(mark: string): number {
  const found = readdirSync("/proc").filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(mark);
    } catch {
      return false;
    }
  });
  return found.length;
}

describe("the SSH host", () => {
  it("runs a command line by sh, in exactly the environment that it was given", async () => {
    const done = await run(await login(), "echo $MARK; env | grep -c '^HOME='; echo err >&2; exit 3");
    expect(done).toMatchObject({ code: 3, stdout: Buffer.from("here\n0\n"), stderr: Buffer.from("err\n") });
  });

  it("tells a death by signal from an exit", async () => {
    expect(await run(await login(), "kill -9 $$")).toMatchObject({ code: null, signal: "SIGKILL" });
  });

  it("carries stdin, and more on each output than the window holds", async () => {
    const client = await login();
    expect((await run(client, "cat", "x".repeat(3_000_000))).stdout).toHaveLength(3_000_000);
    const done = await run(client, "yes out | head -c 5000000 & yes err | head -c 5000000 >&2; wait");
    expect([done.stdout.equals(Buffer.alloc(5_000_000, "out\n")), done.stderr.equals(Buffer.alloc(5_000_000, "err\n"))]).toEqual([
      true,
      true,
    ]);
  });

  it.each([
    ["another user", { username: "root" }],
    ["another key", { privateKey: newKeyPair().private }],
  ])("refuses %s", async (_who, change) => {
    await expect(login(change)).rejects.toThrow("authentication methods failed");
  });

  it("refuses the session beyond its limit, and frees one only when its process is over", async () => {
    const client = await login();
    const held = await Promise.all([start(client, "sleep 60"), start(client, "sleep 60"), start(client, "exec sleep 0.5")]);
    await expect(start(client, "true")).rejects.toMatchObject({ reason: 2 });
    held.forEach((channel) => channel.close());
    await expect(start(client, "true")).rejects.toMatchObject({ reason: 2 });
    await new Promise((resolve) => held[2]?.resume().on("close", resolve));
    expect(await run(client, "true")).toMatchObject({ code: 0 });
  });

  it("passes signals on to the command and its children", async () => {
    const channel = await start(await login(), "sh -c 'sleep 60; :'; :");
    const ended = new Promise((resolve) => channel.resume().on("close", (...args: unknown[]) => resolve(args.slice(0, 2))));
    channel.signal("TERM");
    expect(await ended).toEqual([null, "SIGTERM"]);
  });

  it("leaves a silent command alive when its connections are cut, and ends it when it is stopped", async () => {
    const mark = `61.${process.pid}`;
    const client = await login();
    await start(client, `sleep ${mark} & setsid sleep ${mark}`);
    await until(() => running(`sleep\0${mark}`) === 2);
    const lost = new Promise<void>((resolve) => client.on("close", () => resolve()));
    host.cut();
    await lost;
    await until(() => host.connections() === 0);
    expect(running(`sleep\0${mark}`)).toBe(2);
    await host.stop();
    await until(() => running(`sleep\0${mark}`) === 0);
  });

  it("can fall silent and come back, with nothing lost", async () => {
    const client = await login();
    host.stall();
    let over = false;
    const done = run(client, "echo late").finally(() => (over = true));
    const socket = connect(host.port, host.host);
    await new Promise((resolve) => socket.on("connect", resolve));
    expect(over).toBe(false);
    host.resume();
    expect(await done).toMatchObject({ code: 0, stdout: Buffer.from("late\n") });
    socket.destroy();
  });

  it("comes back as the same host for the same keys and port", async () => {
    await host.stop();
    const again = await startSshHost({ env: {}, port: host.port, hostKey: host.hostKey, clientKey: host.privateKey });
    expect([again.knownHosts, again.privateKey]).toEqual([host.knownHosts, host.privateKey]);
    await again.stop();
  });
});
