// Standard input that is written while the command runs, through everything: caller, MongoDB, worker, pod.
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import type { ChildProcess } from "node:child_process";
import { Readable } from "node:stream";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { endProcess, setScene, type Scene } from "./testing.ts";

let scene: Scene;
let worker: ChildProcess;
beforeAll(async () => {
  scene = await setScene();
  worker = await scene.startWorker();
  const { podq, cluster, small } = scene;
  await (await podq.pod({ project: "s" }).create({ image: cluster.image, resources: { ...small, cpu: "1" } })).result();
});
afterAll(async () => scene?.stop());

const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
const mebibyte = 1_048_576;

// The most memory a process has had at once, in MiB.
const peak = ({ pid }: ChildProcess): number => Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024;

describe("podq exec -i", () => {
  it("passes any bytes on to the command", async () => {
    const bytes = randomBytes(3 * mebibyte);
    const { code, stdout } = await scene.cli(["exec", "--project", "s", "-i", "--", "sha256sum"], {}, bytes);
    expect({ code, stdout }).toEqual({ code: 0, stdout: `${sha256(bytes)}  -\n` });
  });

  it("does it while the command runs, line by line, and ends with the command", async () => {
    const child = scene.start(["exec", "--project", "s", "-i", "-c", "while read -r line && [ $line != end ]; do echo got $line; done"]);
    let said = "";
    child.stdout!.on("data", (chunk: Buffer) => (said += chunk.toString()));
    for (const line of ["one", "two"]) {
      child.stdin!.write(`${line}\n`);
      await expect.poll(() => said, { timeout: 30_000 }).toContain(`got ${line}\n`);
    }
    const closed = once(child, "close");
    child.stdin!.write("end\n"); // and nothing closes it: the command's end is the end
    expect((await closed)[0]).toBe(0);
    expect(said).toBe("got one\ngot two\n");
  });

  it("sends nothing if it is not asked to, and all of it before it leaves when it does not wait", async () => {
    expect(await scene.cli(["exec", "--project", "s", "--", "cat"], {}, "unread")).toEqual({ code: 0, stdout: "", stderr: "" });
    const bytes = randomBytes(6 * mebibyte);
    const { stdout: id } = await scene.cli(["exec", "--project", "s", "-i", "--detach", "--", "sha256sum"], {}, bytes);
    const result = await scene.podq.job(id.trim()).result({ timeoutMs: 60_000 });
    expect("stdout" in result! && result.stdout.text()).toBe(`${sha256(bytes)}  -\n`);
  });
});

describe("a stream of 64 MiB", () => {
  it("reaches the command whole, and neither end keeps it in memory", async () => {
    const before = peak(worker);
    const { code, stdout, stderr } = await scene.service(`
      import { connect } from "@podq/client";
      import { createHash } from "node:crypto";
      await using podq = await connect({ redisUrl: process.env.REDIS_URL, mongodbUri: process.env.MONGODB_URI, prefix: process.env.PODQ_PREFIX });
      const hash = createHash("sha256");
      async function* stream() {
        for (let n = 0; n < 1024; n++) {
          const piece = Buffer.alloc(65_536, n);
          piece.writeUInt32LE(n * 2654435761 >>> 0, n);
          hash.update(piece);
          yield piece;
        }
      }
      const before = process.resourceUsage().maxRSS;
      const result = await podq.pod({ project: "s" }).run(["sha256sum"], { stdin: stream(), timeoutMs: 200_000 });
      console.log(JSON.stringify({ same: result.stdout.text() === hash.digest("hex") + "  -\\n", grewMiB: (process.resourceUsage().maxRSS - before) / 1024 }));
    `);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const { same, grewMiB } = JSON.parse(stdout) as { same: boolean; grewMiB: number };
    expect(same).toBe(true);
    // Loose: what is not collected yet counts as well. Kept whole, in pieces or as text, it would be far more.
    expect(grewMiB).toBeLessThan(150);
    expect(peak(worker) - before).toBeLessThan(150);
  });

  it("goes on at the byte that the pod has when its worker is killed in the middle", async () => {
    const bytes = randomBytes(16 * mebibyte);
    const more = Promise.withResolvers<void>();
    async function* stream(): AsyncGenerator<Uint8Array | string> {
      yield "begin\n";
      yield bytes.subarray(0, 5_000_000);
      await more.promise;
      yield bytes.subarray(5_000_000);
    }
    const job = await scene.podq.pod({ project: "s" }).exec("read -r line; echo $line; sha256sum", { stdin: stream() });
    for await (const _ of job.output()) break; // it reads
    await endProcess(worker, "SIGKILL");
    worker = await scene.startWorker();
    await expect.poll(async () => (await job.status()).attempts.length, { timeout: 60_000 }).toBe(2);
    more.resolve();
    const { stdout, attached } = await job.result({ timeoutMs: 60_000 });
    expect(stdout.text()).toBe(`begin\n${sha256(bytes)}  -\n`);
    expect(attached).toBe(1);
  });

  it("that nobody reads does not keep a command from its end", async () => {
    const stdin = Readable.from(Array.from({ length: 64 }, () => Buffer.alloc(mebibyte)));
    expect(await scene.podq.pod({ project: "s" }).run("sleep 1; exit 4", { stdin })).toMatchObject({ exitCode: 4, leftRunning: 0 });
    await expect.poll(() => stdin.destroyed, { timeout: 10_000 }).toBe(true);
  });
});

describe("a caller that vanishes in the middle of its stream", () => {
  it("takes its command with it, after a time of silence", async () => {
    await endProcess(worker, "SIGTERM");
    worker = await scene.startWorker({ PODQ_STDIN_SILENCE_MS: "2000" });
    const caller = scene.startService(`
      import { connect } from "@podq/client";
      const podq = await connect({ redisUrl: process.env.REDIS_URL, mongodbUri: process.env.MONGODB_URI, prefix: process.env.PODQ_PREFIX });
      async function* stream() {
        yield "seen";
        await new Promise(() => undefined);
      }
      const job = await podq.pod({ project: "s" }).exec(["cat"], { stdin: stream() });
      for await (const { data } of job.output()) console.log(JSON.stringify([job.id, data.toString()]));
    `);
    const [said] = (await once(caller.stdout!, "data")) as [Buffer];
    await endProcess(caller, "SIGKILL");
    const [id, seen] = JSON.parse(said.toString()) as [string, string];
    expect(seen).toBe("seen");
    await expect(scene.podq.job(id).result({ timeoutMs: 60_000 })).rejects.toMatchObject({
      state: "cancelled",
      code: "cancelled",
      message: expect.stringMatching(/caller was not heard of for \d+ s/) as string,
      stdoutBytes: 4,
    });
  });
});
