// Standard input that is fed over sessions which come and go, into a shell that stands in for the pod.
import { createHash, randomBytes } from "node:crypto";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createExecs, type Execs } from "./exec.ts";
import { eventually, LocalPod, shells } from "./local-shell.ts";
import { begin, Source } from "./testing.ts";

const target = { namespace: "n", pod: "p", podUid: "u" };
const shell = shells.find(({ missing }) => missing === undefined)!;

describe("live input", () => {
  let pod: LocalPod;
  let execs: Execs[];
  const worker = (): Execs => {
    execs.push(createExecs({ open: pod.open, journalDirs: [pod.kept] }));
    return execs.at(-1)!;
  };

  beforeEach(() => {
    pod = new LocalPod(shell.argv);
    execs = [];
  });
  afterEach(async () => {
    await Promise.all(execs.map((one) => one.close()));
    await pod.stop();
  });

  it("is read as it is written: a line goes in, an answer comes out, before the next", async () => {
    const source = new Source();
    const { ear, outcome } = begin(worker(), target, {
      command: "while read -r line; do echo got $line; done; echo end",
      liveStdin: source,
    });
    for (const line of ["one", "two"]) {
      source.write(`${line}\n`);
      await eventually(line, () => ear.text("stdout").endsWith(`got ${line}\n`));
    }
    source.write("", true);
    expect(await outcome).toMatchObject({ kind: "ended", exitCode: 0 });
    expect(ear.text("stdout")).toBe("got one\ngot two\nend\n");
  });

  it("loses and repeats no byte when sessions are cut again and again, and another worker takes over", async () => {
    const bytes = randomBytes(24 * 1024 * 1024);
    const source = new Source();
    source.write(bytes, true);
    let cuts = 0;
    const first = begin(worker(), target, { command: ["sha256sum"], liveStdin: source });
    const cut = async (at: number): Promise<void> => {
      await eventually("more is taken", () => source.takenTo > at || source.takenTo === bytes.length);
      for (const { channel } of pod.opened) channel.close();
      cuts += 1;
    };
    for (let n = 0; n < 6; n += 1) await cut(n * 1_500_000);
    await eventually("more is taken", () => source.takenTo > 12_000_000);
    first.detach.abort();
    expect(await first.outcome).toEqual({ kind: "detached" });
    const second = begin(worker(), target, { ...first.request, attempt: 2 });
    for (let n = 0; n < 3; n += 1) await cut(source.takenTo);
    expect(await second.outcome).toMatchObject({ kind: "ended", exitCode: 0 });
    expect(second.ear.text("stdout")).toBe(`${createHash("sha256").update(bytes).digest("hex")}  -\n`);
    expect(cuts).toBe(9);
  });

  it("goes on when the way of its raw pieces is cut again and again, and its session is not", async () => {
    const bytes = randomBytes(24 * 1024 * 1024);
    const source = new Source();
    source.write(bytes, true);
    const { ear, outcome } = begin(worker(), target, { command: ["sha256sum"], liveStdin: source });
    for (let n = 1; n <= 2; n += 1) {
      await eventually("a raw way is open", () => pod.opened.filter(({ bulk }) => bulk).length === n);
      await eventually("more is taken", () => source.takenTo > n * 6_000_000);
      pod.opened.findLast(({ bulk }) => bulk)!.channel.close();
    }
    expect(await outcome).toMatchObject({ kind: "ended", exitCode: 0, leftRunning: 0 });
    expect(ear.text("stdout")).toBe(`${createHash("sha256").update(bytes).digest("hex")}  -\n`);
    expect(pod.opened.filter(({ bulk }) => !bulk)).toHaveLength(1);
  });

  it("that is not read is not sent on and on, and does not keep the command from its end", async () => {
    const source = new Source();
    source.write(Buffer.alloc(8 * 1024 * 1024), true);
    const { outcome } = begin(worker(), target, { command: "sleep 1; exit 4", liveStdin: source });
    expect(await outcome).toMatchObject({ kind: "ended", exitCode: 4, leftRunning: 0 });
    expect(source.takenTo).toBeLessThan(2 * 1024 * 1024);
    expect(source.furthest).toBeLessThan(2 * 1024 * 1024);
  });

  it("that cannot be read ends the call with the reason, and leaves the command to the next attempt", async () => {
    const source = new Source();
    source.write("abc");
    source.taken = () => {
      source.read = () => Promise.reject(new Error("the store is away"));
      source.write("");
    };
    const first = begin(worker(), target, { command: ["cat"], liveStdin: source });
    await expect(first.outcome).rejects.toThrow("the store is away");
    const again = new Source();
    again.write("abcdef", true);
    const second = begin(worker(), target, { ...first.request, attempt: 2, liveStdin: again });
    expect(await second.outcome).toMatchObject({ kind: "ended", exitCode: 0 });
    expect(second.ear.text("stdout")).toBe("abcdef");
  });
});
