// A caller that takes its output slowly, while a shell stands in for the pod.
import { afterEach, beforeEach, expect, it } from "vitest";
import { createExecs, type Execs } from "./exec.ts";
import { eventually, LocalPod, shells } from "./local-shell.ts";
import type { Piece } from "./outcome.ts";
import { begin } from "./testing.ts";

const shell = shells.find(({ missing }) => missing === undefined)!;
const target = { namespace: "n", pod: "p", podUid: "u" };

let pod: LocalPod;
let execs: Execs;
let pings: number;

beforeEach(() => {
  pod = new LocalPod(shell.argv);
  pings = 0;
  const open: typeof pod.open = async () => {
    const { channel } = pod.start();
    const write = channel.stdin.write.bind(channel.stdin) as (line: Buffer) => boolean;
    channel.stdin.write = (line: Buffer): boolean => {
      if (line.includes("{ ping ")) pings += 1;
      return write(line);
    };
    return { kind: "open", channel };
  };
  execs = createExecs({ open, journalDirs: [pod.kept], pingMs: 500, answerTimeoutMs: 2000 });
});
afterEach(async () => {
  await execs.close();
  await pod.stop();
});

it("trap: a slow caller does not stop the reading of kubectl's output, which would cost the session", async () => {
  const size = 24 * 1024 * 1024;
  const { request } = begin(execs, target, {});
  const control = { cancel: new AbortController().signal, detach: new AbortController().signal };
  let [bytes, most] = [0, 0];
  const onOutput = async (pieces: Piece[]): Promise<void> => {
    const length = pieces.reduce((sum, { data }) => sum + data.length, 0);
    most = Math.max(most, length);
    // Longer than a session may be silent. Meanwhile its pings are answered, or it would be given up.
    const from = pings;
    if (bytes === 0) await eventually("time passes", () => pings >= from + 6);
    bytes += length;
  };
  const command = ["head", "-c", String(size), "/dev/zero"];
  const outcome = await execs.run(target, { ...request, jobId: "slowly", command, maxOutputBytes: 2 * size }, { ...control, onOutput });
  expect(outcome).toMatchObject({ kind: "ended", exitCode: 0, stdoutBytes: size, truncated: false });
  expect(bytes).toBe(size);
  expect(pod.opened).toHaveLength(1);
  // And no more than two slices are fetched ahead of him.
  expect(most).toBeLessThanOrEqual(8 * 1024 * 1024);
});
