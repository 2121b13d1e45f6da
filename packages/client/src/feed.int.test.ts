import { randomBytes } from "node:crypto";
import { Readable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { openStore, type Store } from "@podq/store";
import { describe, expect, inject, it } from "vitest";
import { connect, type Podq } from "./connect.ts";
import type { Job } from "./job.ts";

type Scene = AsyncDisposable & { podq: Podq; store: Store };

/** A client, and a store to play the worker with. */
async function open(): Promise<Scene> {
  const { redisUrl, mongodbUri } = inject("services");
  const prefix = `t${randomBytes(6).toString("hex")}`;
  const uri = new URL(mongodbUri);
  uri.pathname = `/${prefix}`;
  const store = await openStore({ uri: uri.href, appName: "podq-test" });
  const podq = await connect({ redisUrl, mongodbUri: uri.href, prefix });
  return {
    podq,
    store,
    async [Symbol.asyncDispose]() {
      await Promise.all([podq.close(), store.close()]);
    },
  };
}

async function stored(store: Store, id: string): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of store.input.read(id)) pieces.push(piece);
  return Buffer.concat(pieces);
}

async function finish(store: Store, { id }: Job): Promise<void> {
  await store.jobs.claim((await store.jobs.get(id))!, "worker", 60_000, null);
  await store.jobs.end({ id, attempt: 1 }, { state: "failed", result: null, error: { code: "internal", message: "over" }, why: "over" });
}

async function* broken(): AsyncGenerator<string> {
  yield "abc";
  throw new Error("the file is gone");
}

/** A source by hand, which says whether it was let go of. */
function source(): {
  write: (piece: string | Uint8Array) => void;
  end: () => void;
  stream: AsyncIterable<string | Uint8Array>;
  left: () => boolean;
} {
  const pieces: (string | Uint8Array | null)[] = []; // null: the end
  let more = Promise.withResolvers<void>();
  let left = false;
  const wake = (): void => {
    more.resolve();
    more = Promise.withResolvers();
  };
  return {
    write: (piece) => (pieces.push(piece), wake()),
    end: () => (pieces.push(null), wake()),
    left: () => left,
    stream: {
      [Symbol.asyncIterator]: () => ({
        async next() {
          while (pieces.length === 0) await more.promise;
          const value = pieces.shift()!;
          return value === null ? { done: true, value } : { done: false, value };
        },
        async return() {
          left = true;
          return { done: true, value: undefined };
        },
      }),
    },
  };
}

describe("a stream as standard input", () => {
  it("is stored as it is written, while the job waits and runs, and then its end", async () => {
    await using scene = await open();
    const { write, end, stream } = source();
    const job = await scene.podq.pod({ project: "p" }).exec(["cat"], { stdin: stream });
    expect(await scene.store.jobs.get(job.id)).toMatchObject({ state: "queued", stdinBytes: 0, stdinBeat: 0 });
    write("hé");
    await expect.poll(async () => (await stored(scene.store, job.id)).toString(), { timeout: 10_000 }).toBe("hé");
    expect(await scene.store.input.isWhole(job.id)).toBe(false);
    write(Buffer.from([0, 255]));
    end();
    await expect.poll(async () => scene.store.input.isWhole(job.id), { timeout: 10_000 }).toBe(true);
    expect(await stored(scene.store, job.id)).toEqual(Buffer.concat([Buffer.from("hé"), Buffer.from([0, 255])]));
  });

  it("may be any stream of Node or the web, whose small pieces are put together", async () => {
    await using scene = await open();
    const bytes = randomBytes(700_000);
    const pod = scene.podq.pod({ project: "p" });
    const small = Array.from({ length: 7_000 }, (_, n) => bytes.subarray(n * 100, n * 100 + 100));
    for (const stdin of [Readable.from(small), new Blob([bytes]).stream()]) {
      const job = await pod.exec(["cat"], { stdin });
      await expect.poll(async () => scene.store.input.isWhole(job.id), { timeout: 20_000 }).toBe(true);
      expect((await stored(scene.store, job.id)).equals(bytes)).toBe(true);
      let pieces = 0;
      for await (const _ of scene.store.input.read(job.id)) pieces += 1;
      expect(pieces).toBeLessThan(100);
    }
  });

  it("runs a few MiB ahead of its command, and no further", async () => {
    await using scene = await open();
    let given = 0;
    async function* endless(): AsyncGenerator<Buffer> {
      for (; ; given += 1_048_576) yield Buffer.alloc(1_048_576);
    }
    const job = await scene.podq.pod({ project: "p" }).exec(["cat"], { stdin: endless() });
    const { input } = scene.store;
    const end = async (): Promise<number> => {
      for (let at = 0; ;) {
        const piece = await input.pieceAt(job.id, at);
        if (piece === null) return at;
        at = piece.offset + piece.data.byteLength;
      }
    };
    await expect.poll(end, { timeout: 20_000 }).toBe(8_388_608);
    await delay(500); // it would have gone on
    expect(await end()).toBe(8_388_608);
    expect(given).toBeLessThan(16 * 1_048_576);
    await input.removeBefore(job.id, 3_000_000);
    await expect.poll(async () => input.pieceAt(job.id, 9_500_000), { timeout: 20_000 }).not.toBeNull();
    expect(await input.begins(job.id)).toBe(Math.floor(3_000_000 / 1_048_576) * 1_048_576);
    await job.cancel();
  });

  it("is let go of when the job ends before it, and nothing of it is left", async () => {
    await using scene = await open();
    const { write, stream, left } = source();
    const job = await scene.podq.pod({ project: "p" }).exec(["true"], { stdin: stream });
    write("abc");
    await expect.poll(async () => (await stored(scene.store, job.id)).byteLength, { timeout: 10_000 }).toBe(3);
    await finish(scene.store, job);
    await expect.poll(left, { timeout: 10_000 }).toBe(true);
    await expect.poll(async () => (await stored(scene.store, job.id)).byteLength, { timeout: 10_000 }).toBe(0);
  });

  it("that fails cancels the job, with the reason", async () => {
    await using scene = await open();
    const pod = scene.podq.pod({ project: "p" });
    await expect(pod.run(["cat"], { stdin: broken() })).rejects.toMatchObject({
      state: "cancelled",
      message: "its standard input failed: the file is gone",
    });
    await expect(pod.run(["cat"], { stdin: Readable.from([1, 2]) })).rejects.toMatchObject({
      message: expect.stringMatching(/number/) as string,
    });
  });

  it("that its process stops writing cancels the job", async () => {
    await using scene = await open();
    const { redisUrl, mongodbUri } = inject("services");
    const uri = new URL(mongodbUri);
    uri.pathname = `/t${randomBytes(6).toString("hex")}`;
    const other = await connect({ redisUrl, mongodbUri: uri.href, prefix: "close" });
    const watcher = await connect({ redisUrl, mongodbUri: uri.href, prefix: "close" });
    const job = await other.pod({ project: "p" }).exec(["cat"], { stdin: source().stream });
    await other.close();
    expect(await watcher.job(job.id).status()).toMatchObject({
      state: "cancelled",
      error: { message: "its caller closed before the end of its standard input" },
    });
    await watcher.close();
    expect(scene.podq).toBeDefined();
  });

  it("is not taken from a second caller of the same idempotency key", async () => {
    await using scene = await open();
    const pod = scene.podq.pod({ project: "p" });
    const [first, second] = [source(), source()];
    const job = await pod.exec(["cat"], { stdin: first.stream, idempotencyKey: "once" });
    expect((await pod.exec(["cat"], { stdin: second.stream, idempotencyKey: "once" })).id).toBe(job.id);
    expect([first.left(), second.left()]).toEqual([false, true]);
    await expect(pod.exec(["cat"], { stdin: "stream", idempotencyKey: "once" })).rejects.toMatchObject({ code: "conflict" });
  });

  it("cannot be given to a retryable command, nor can what is no stream", async () => {
    await using scene = await open();
    const pod = scene.podq.pod({ project: "p" });
    await expect(pod.exec(["cat"], { stdin: source().stream, retryable: true })).rejects.toMatchObject({ code: "invalid-request" });
    await expect(pod.exec(["cat"], { stdin: 5 as unknown as string })).rejects.toMatchObject({ code: "invalid-request" });
  });
});

describe("standard input given whole", () => {
  it("is fed live when it is large, and its end is there from the start", async () => {
    await using scene = await open();
    const pod = scene.podq.pod({ project: "p" });
    const [small, large] = [await pod.exec(["cat"], { stdin: "x" }), await pod.exec(["cat"], { stdin: Buffer.alloc(5_000_000) })];
    expect(await scene.store.jobs.get(small.id)).toMatchObject({ stdinBytes: 1, stdinBeat: null });
    expect(await scene.store.jobs.get(large.id)).toMatchObject({ stdinBytes: 5_000_000, stdinBeat: 0 });
    expect([await scene.store.input.isWhole(small.id), await scene.store.input.isWhole(large.id)]).toEqual([false, true]);
  });

  it("is removed with a job that is cancelled while it waits", async () => {
    await using scene = await open();
    const job = await scene.podq.pod({ project: "p" }).exec(["cat"], { stdin: "secret" });
    expect((await stored(scene.store, job.id)).byteLength).toBe(6);
    await job.cancel();
    expect((await stored(scene.store, job.id)).byteLength).toBe(0);
  });
});
