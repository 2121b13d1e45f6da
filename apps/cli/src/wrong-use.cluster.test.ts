import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { endProcess, setScene, type Scene } from "./testing.ts";

let scene: Scene;
beforeAll(async () => {
  scene = await setScene();
});
afterAll(async () => scene?.stop());

const oneLine = /^podq: [^\n]+\n$/;

describe("wrong use", () => {
  it.each<[string, string[], RegExp]>([
    ["no command", ["exec", "--project", "p"], /params\.command/],
    ["no owner", ["create"], /--project ID or --conversation ID/],
    ["an empty id", ["create", "--project", ""], /owner\.project must be/],
    ["an id of 10,000 characters", ["create", "--project", "x".repeat(10_000)], /owner\.project must be/],
    ["an id with a shell in it", ["delete", "--project", "'; rm -rf /"], /owner\.project must be/],
    ["a resource of lots", ["create", "--project", "p", "--memory", "lots"], /memory is no quantity/],
    ["a negative time-out", ["exec", "--project", "p", "--timeout-ms", "-1", "--", "ls"], /timeoutMs must be at least 1/],
    ["a time-out in words", ["exec", "--project", "p", "--timeout-ms", "soon", "--", "ls"], /not a whole number/],
    ["an unknown option", ["create", "--project", "p", "--frob"], /unknown option '--frob'.*--help/],
    ["an unknown command", ["explode"], /unknown command 'explode'/],
    ["a command twice", ["exec", "--project", "p", "-c", "ls", "--", "ls"], /not both/],
    ["an unknown status", ["ls", "--status", "fine"], /status/],
    ["an unknown job", ["status", "nobody"], /there is no job nobody/],
  ])("with %s exits 2 with one line that says what to do, and writes nothing", async (_what, args, line) => {
    const { code, stdout, stderr } = await scene.cli(args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toMatch(oneLine);
    expect(stderr).toMatch(line);
    expect(await Array.fromAsync(scene.podq.jobs())).toEqual([]);
  });
});

describe("a worker that cannot work", () => {
  it.each<[string, Record<string, string>, RegExp]>([
    ["has no usable key", { K8S_SSH_KEY_FILE: "/nowhere/key" }, /\/nowhere\/key/],
    ["has a setting that is no number", { K8S_SSH_PORT: "ssh" }, /K8S_SSH_PORT/],
    ["finds no Redis", { REDIS_URL: "redis://127.0.0.1:1" }, /Redis.*REDIS_URL/],
    ["finds no MongoDB", { MONGODB_URI: "mongodb://127.0.0.1:1/x" }, /MongoDB.*MONGODB_URI/],
  ])("because it %s does not start, and says which setting to mend", async (_what, settings, line) => {
    const { code, stderr } = await scene.cli(["worker"], settings);
    expect(code).toBe(1);
    expect(stderr.split("\n").at(-2)).toMatch(line);
  });

  it("falls back from a key string that does not parse to the key file, with a warning that does not show it", async () => {
    const worker = await scene.startWorker({ K8S_SSH_KEY_STRING: "hunter2 is no key" });
    expect(worker.log).toMatch(/key string is not usable.*using the key file/);
    expect(worker.log).not.toContain("hunter2");
    await endProcess(worker, "SIGTERM");
    expect(worker.exitCode).toBe(0);
  });

  it("takes a key string whose line ends are written as two characters", async () => {
    const worker = await scene.startWorker({
      K8S_SSH_KEY_STRING: scene.cluster.ssh.privateKey.replaceAll("\n", "\\n"),
      K8S_SSH_KEY_FILE: "/nowhere",
    });
    expect(worker.log).not.toContain("not usable");
    await endProcess(worker, "SIGTERM");
  });

  it("fails a job when the host shows another key than the known one, with the way to mend it", async () => {
    const { host, port } = scene.cluster.ssh;
    const knownHosts = join(await mkdtemp(join(tmpdir(), "podq-known-")), "known_hosts");
    const another = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ2XPUdjF8+lk+VxtmPAPMjSM2yTQQa1Q8ZtDHwZFMOT";
    await writeFile(knownHosts, `[${host}]:${port} ${another}\n`);
    const worker = await scene.startWorker({ K8S_SSH_KNOWN_HOSTS: knownHosts });
    const failed = await scene.cli(["create", "--project", "p"]);
    expect(failed).toMatchObject({ code: 1, stderr: expect.stringContaining("host-key-mismatch") as string });
    await endProcess(worker, "SIGTERM");
    await rm(join(knownHosts, ".."), { recursive: true });
  });
});
