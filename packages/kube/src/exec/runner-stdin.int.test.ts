// Standard input that is written while the command runs, as the runner takes it: in every shell it must work in.
import { createHash, randomBytes } from "node:crypto";
import { readdirSync, readFileSync, readlinkSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Frame } from "./frames.ts";
import { endRun, eventually, LocalPod, sh, shells, Talk } from "./local-shell.ts";
import { calls, FEED_BYTES } from "./protocol.ts";

const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

for (const shell of shells) {
  describe.skipIf(shell.missing !== undefined)(`live input in ${shell.name}${shell.missing ? ` (${shell.missing})` : ""}`, () => {
    let pod: LocalPod;
    let talk: Talk;

    beforeEach(async () => {
      pod = new LocalPod(shell.argv);
      talk = new Talk(pod);
      await talk.frame("ready");
    });
    afterEach(async () => {
      await pod.stop();
    });

    const fed = async (id: string, fits: (frame: Extract<Frame, { kind: "fed" }>) => boolean, by = talk): Promise<void> => {
      const deadline = performance.now() + 20_000;
      for (;;) {
        by.send(calls.fed(id));
        const frame = await by.frame("fed", id);
        if (fits(frame)) return;
        if (performance.now() > deadline) throw new Error(`gave up: ${JSON.stringify(frame)}`);
      }
    };
    const start = async (argv: string[]): Promise<string> => {
      const id = talk.run({ inputBytes: "live", argv });
      await fed(id, (frame) => frame.fed === 0 && frame.taken === 0);
      return id;
    };
    const end = (id: string, offset: number): void => talk.send(calls.feed(id, offset, new Uint8Array()));
    const stdout = async (id: string): Promise<string> => {
      const { inline } = await talk.frame("closed", id);
      return Buffer.concat(inline!.stdout.pieces).toString("latin1");
    };
    const restOf = (id: string): string[] => readdirSync(pod.journal).filter((name) => /^(f|h|i|q|.*in)$/.test(name.slice(id.length + 1)));
    const living = (id: string): number[] =>
      readdirSync("/proc")
        .filter((name) => /^\d+$/.test(name))
        .map(Number)
        .filter((pid) => holds(pid, join(pod.journal, `${id}.f`)));

    it("is every byte, in pieces of any size, and closed at its end", async () => {
      const bytes = Buffer.concat([
        Buffer.from([0, 92, 39, 10, 255]),
        Buffer.from(Array.from({ length: 512 }, (_, i) => i % 256)),
        randomBytes(200_000),
      ]);
      const id = await start(["sha256sum"]);
      let offset = 0;
      for (const size of [1, 1, 1, 1, 1, 7, 512, FEED_BYTES, FEED_BYTES, 1, bytes.length]) {
        const piece = bytes.subarray(offset, Math.min(offset + size, offset + FEED_BYTES, bytes.length));
        talk.send(calls.feed(id, offset, piece));
        offset += piece.length;
      }
      talk.send(calls.feed(id, offset, bytes.subarray(offset)));
      end(id, bytes.length);
      expect(await stdout(id)).toBe(`${sha256(bytes)}  -\n`);
      expect(restOf(id)).toEqual([]);
    });

    it("reaches the command at once, not with the next piece", async () => {
      const id = await start(["cat"]);
      talk.send(calls.feed(id, 0, Buffer.from("line\n")));
      const { summary } = await talk.state(id, (state) => state.summary.stdout.kept === 5);
      expect(summary.exitCode).toBeNull();
      await fed(id, (frame) => frame.fed === 5 && frame.taken === 5);
      end(id, 5);
      expect(await stdout(id)).toBe("line\n");
    });

    it("may be empty", async () => {
      const id = await start(sh("cat; echo end"));
      end(id, 0);
      expect(await stdout(id)).toBe("end\n");
    });

    it("takes a piece only where it is, so that late and double ones do no harm", async () => {
      const id = await start(["cat"]);
      talk.send(calls.feed(id, 3, Buffer.from("early")));
      talk.send(calls.feed(id, 0, Buffer.from("abc")));
      talk.send(calls.feed(id, 0, Buffer.from("abc")));
      end(id, 0);
      talk.send(calls.feed(id, 3, Buffer.from("def")));
      talk.send(calls.feed(id, 1, Buffer.from("late")));
      end(id, 6);
      expect(await stdout(id)).toBe("abcdef");
    });

    it("goes on in another session at the byte that the pod has, and passes over what two sessions gave twice", async () => {
      const id = await start(sh(`until [ -e ${pod.dir}/go ]; do sleep 0.05; done; cat`));
      talk.send(calls.feed(id, 0, Buffer.from("one ")));
      await fed(id, (frame) => frame.taken === 4);
      talk.cut();
      const other = new Talk(pod);
      await fed(id, (frame) => frame.taken === 4, other);
      other.send(calls.feed(id, 4, Buffer.from("two ")));
      // What a session says that was stopped between two steps: the pod has taken it, and does not know.
      await eventually("two is fed", () => readFileSync(join(pod.journal, `${id}.h`), "latin1").includes("1000000000000008"));
      other.send(`mark ${pod.journal}/${id}.h 2\n`);
      other.send(calls.feed(id, 2, Buffer.from("e two three")));
      other.send(calls.feed(id, 13, new Uint8Array()));
      other.send(`echo >${pod.dir}/go\n`);
      talk = other;
      const closed = await other.state(id, ({ state }) => state.name === "closed", 100);
      expect(Buffer.concat(closed.stdout.pieces).toString()).toBe("one two three");
    });

    it("that nobody reads holds up nothing: not the shell, not the command's end", async () => {
      const id = await start(["sleep", "2"]);
      for (let n = 0; n < 16; n += 1) talk.send(calls.feed(id, n * FEED_BYTES, Buffer.alloc(FEED_BYTES, n)));
      end(id, 16 * FEED_BYTES);
      expect((await talk.result({ argv: ["echo", "alive"] })).stdout).toBe("alive\n");
      await fed(id, (frame) => frame.taken === 16 * FEED_BYTES && frame.fed! < 3 * FEED_BYTES);
      expect((await talk.frame("closed", id)).summary).toMatchObject({ exitCode: 0, left: 0 });
      expect(restOf(id)).toEqual([]);
    });

    it("ends with the command, and what comes after it is dropped", async () => {
      const id = await start(["head", "-c", "3"]);
      talk.send(calls.feed(id, 0, Buffer.from("abcdef")));
      expect(await stdout(id)).toBe("abc");
      talk.send(calls.feed(id, 6, Buffer.from("more")));
      end(id, 10);
      await fed(id, (frame) => frame.fed === null);
      expect(restOf(id)).toEqual([]);
      await eventually("its feeder is gone", () => living(id).length === 0);
    });

    it("is no process of the command's: neither left running nor killed for one", async () => {
      const id = await start(sh("sleep 0.2; exec 0<&-; sleep 0.2"));
      talk.send(calls.feed(id, 0, Buffer.from("x")));
      expect((await talk.frame("closed", id)).summary).toMatchObject({ exitCode: 0, left: 0, why: null });
    });

    it("ends with a run that is killed, and with one whose handler is gone", async () => {
      const id = await start(["sleep", "50"]);
      talk.send(calls.kill(id, "cancel", 100));
      expect((await talk.frame("closed", id)).summary).toMatchObject({ exitCode: 143, why: "cancel" });
      await eventually("its feeder is gone", () => living(id).length === 0);
      const lost = await start(sh("read -r go; kill -KILL $PPID; sleep 50"));
      talk.send(calls.feed(lost, 0, Buffer.from("go\n")));
      await talk.state(lost, ({ state }) => state.name === "lost");
      expect(living(lost).length).toBeGreaterThan(0);
      expect(await endRun(pod, lost)).toBe("gone");
      await eventually("its feeder is gone", () => living(lost).length === 0);
    });

    it("that was broken off does not pass for a whole one", async () => {
      const id = await start(["cat"]);
      talk.send(calls.feed(id, 0, Buffer.from("half")));
      await fed(id, (frame) => frame.fed === 4);
      await eventually("the feeder waits, with nothing of it at work", () => living(id).length === 1);
      for (const pid of living(id)) process.kill(pid, "SIGKILL");
      expect((await talk.frame("closed", id)).summary).toMatchObject({ exitCode: 0, why: "stdin" });
    });

    it("takes nothing that does not fit on the disk, and goes on when it does", async () => {
      const id = await start(["cat"]);
      talk.send(calls.feed(id, 0, Buffer.from("some ")));
      await fed(id, (frame) => frame.fed === 5);
      const session = readdirSync(join(pod.journal, "f"))
        .find((name) => name.endsWith(".p"))!
        .slice(0, -2);
      const piece = join(pod.journal, `${id}.${session}.5.in`);
      symlinkSync("/dev/full", piece);
      talk.send(calls.feed(id, 5, Buffer.from("more")));
      await fed(id, (frame) => frame.taken === 5);
      talk.send(`rm ${piece}\n`);
      talk.send(calls.feed(id, 5, Buffer.from("more")));
      end(id, 9);
      expect(await stdout(id)).toBe("some more");
    });
  });
}

// Whether a process has a file open.
function holds(pid: number, path: string): boolean {
  try {
    return readdirSync(`/proc/${pid}/fd`).some((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`).startsWith(path));
  } catch {
    return false; // gone, or not ours
  }
}
