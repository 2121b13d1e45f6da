// One big output by one way, in a process of its own, so that the growth of its memory is that output's alone.
import { createExecs, type Piece } from "@podq/kube";
import { createHostKeys, createPool, loadKey } from "@podq/ssh";
import type { TestCluster } from "@podq/devstack/testing";
import { settingsOf } from "../child.ts";
import type { Place } from "./scene.ts";
import { kubectlExec, runOnSession } from "./ways.ts";

/** What the process is told, and what it answers. */
export type OutputSettings = { by: "kubectl" | "session"; ssh: TestCluster["ssh"]; place: Place; bytes: number };
export type OutputReport = { ms: number; bytes: number; clientMs: number; grownMb: number };

const { by, ssh, place, bytes } = await settingsOf<OutputSettings>(async () => {
  await execs?.close();
  await pool?.close({ graceMs: 500 });
});
const { host, port, username } = ssh;
const pool = createPool({
  host,
  port,
  username,
  key: loadKey({ text: ssh.privateKey }).key,
  hostKeys: createHostKeys({ file: ssh.knownHosts }),
});
const execs = createExecs({ open: async (...call) => pool.open(...call) });
const command = ["sh", "-c", `head -c ${bytes} /dev/zero`];

if (by === "session") await runOnSession(execs, place, ["true"], false);
else {
  const { channel } = await openKubectl(["true"]);
  channel.stdout.resume();
  await channel.ended;
}
const rssBefore = process.memoryUsage.rss();
const cpu = process.cpuUsage();
const from = performance.now();
const got = by === "session" ? await bySession() : await byKubectl();
const ms = performance.now() - from;
const { user, system } = process.cpuUsage(cpu);
const peak = process.resourceUsage().maxRSS * 1024;
const report: OutputReport = { ms, bytes: got, clientMs: (user + system) / 1000, grownMb: (peak - rssBefore) / 1024 / 1024 };
process.send?.("ready");
process.send?.(report);

async function bySession(): Promise<number> {
  let next = 0;
  const never = new AbortController().signal;
  const onOutput = async (pieces: Piece[]): Promise<void> => {
    for (const { stream, offset, data } of pieces) {
      if (stream !== "stdout" || offset !== next) throw new Error(`byte ${offset} of ${stream} came where ${next} was due`);
      next += data.byteLength;
    }
  };
  const request = { jobId: `bench-${crypto.randomUUID()}`, run: 1, attempt: 1, command, fence: [], from: { stdout: 0, stderr: 0 } };
  const bounds = { timeoutMs: 300_000, graceMs: 1000, maxOutputBytes: bytes + 1024, exclusive: true };
  const { namespace, pod, podUid } = place;
  const outcome = await execs.run({ namespace, pod, podUid }, { ...request, ...bounds }, { cancel: never, detach: never, onOutput });
  if (outcome.kind !== "ended" || outcome.exitCode !== 0 || outcome.truncated) throw new Error(JSON.stringify(outcome));
  return next;
}

async function byKubectl(): Promise<number> {
  const { channel } = await openKubectl(command);
  let count = 0;
  channel.stdout.on("data", (data: Buffer) => (count += data.byteLength));
  const end = await channel.ended;
  if (end.kind !== "exit" || end.code !== 0) throw new Error(JSON.stringify(end));
  return count;
}

async function openKubectl(argv: readonly string[]) {
  const opened = await pool.open([...kubectlExec(place), ...argv]);
  if (opened.kind !== "open") throw new Error(opened.message);
  opened.channel.stdin.end();
  opened.channel.stderr.resume();
  return opened;
}
