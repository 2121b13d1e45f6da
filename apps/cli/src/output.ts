import { once } from "node:events";
import type { DeliveryTry, JobStatus, PodRecord } from "@podq/client";

/** Where a command reads and writes: stdout is data, stderr is talk. */
export type Io = { stdin: NodeJS.ReadableStream; stdout: NodeJS.WriteStream; stderr: NodeJS.WriteStream };

/** Writes bytes, and waits while the reader is slow. */
export async function write(stream: NodeJS.WriteStream, data: string | Uint8Array): Promise<void> {
  if (!stream.write(data)) await once(stream, "drain");
}

/** One JSON value. */
export function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

/** A text that others wrote, in one line and without what a terminal takes for orders: control codes and turns of direction are blanks. */
export function plain(text: string): string {
  return text.replace(/[\p{Cc}\u202a-\u202e\u2066-\u2069]/gu, " ");
}

/** How long ago, in the largest unit that fits. */
export function age(since: Date, now: Date = new Date()): string {
  const seconds = Math.max(0, Math.round((now.getTime() - since.getTime()) / 1_000));
  if (seconds < 120) return `${seconds}s`;
  if (seconds < 7_200) return `${Math.floor(seconds / 60)}m`;
  return seconds < 172_800 ? `${Math.floor(seconds / 3_600)}h` : `${Math.floor(seconds / 86_400)}d`;
}

/** Whose pod it is, as in `project/p1`, and its name where it is not the default one. */
export function ownerOf({ owner, name }: Pick<PodRecord | JobStatus, "owner" | "name">): string {
  const who = owner.project === undefined ? `conversation/${owner.conversation}` : `project/${owner.project}`;
  return name === "default" ? who : `${who}/${name}`;
}

/** A pod's record for people. */
export function podLines(pod: PodRecord): string {
  const lines: [string, string | null][] = [
    ["pod", ownerOf(pod)],
    ["status", pod.status],
    ["error", pod.error && `${pod.error.code}: ${pod.error.message}`],
    ["cause", !pod.cause || pod.error ? null : `${pod.cause.code}: ${pod.cause.message}`],
    ["seen", pod.observedAt ? `${age(pod.observedAt)} ago` : null],
    ["restarts", restartsLine(pod.restarts)],
    ["network", pod.networkEnforced === false ? "its fence is not kept: this cluster enforces no NetworkPolicies" : null],
    ["image", pod.image],
    ["template", pod.template && `${pod.template.name}@${pod.template.version}`],
    ["namespace", pod.namespace],
    ["pod name", pod.podName],
    ["access url", pod.service.accessUrl],
    ...furtherPorts(pod),
    ["deleted at", pod.expiry?.ttlAt?.toISOString() ?? null],
    ["when idle", idleLine(pod.expiry)],
    ["updated", pod.updated.length === 0 ? null : pod.updated.join(", ")],
    ["differs in", pod.differs.length === 0 ? null : pod.differs.join(", ")],
  ];
  return lined(lines, 11);
}

// The first is the access url, unless there is none of it.
function furtherPorts({ service: { ports, accessUrl } }: PodRecord): [string, string][] {
  const [first, ...others] = ports;
  const shown = first?.url === accessUrl ? others : ports;
  return shown.map(({ name, port, protocol, nodePort, url }) => [
    `port ${name}`,
    url ?? `${port}/${protocol ?? "TCP"}${nodePort === null ? "" : ` at node port ${nodePort}`}`,
  ]);
}

function restartsLine(restarts: PodRecord["restarts"]): string | null {
  if (restarts === null || restarts.count === 0) return null;
  const { count, last } = restarts;
  return last === null
    ? String(count)
    : `${count}, last ${last.at.toISOString()} ${last.reason}, exit code ${last.exitCode}: ${last.message}`;
}

function idleLine(expiry: PodRecord["expiry"]): string | null {
  return expiry?.idleAfterMs == null ? null : `${expiry.onIdle} after ${expiry.idleAfterMs} ms`;
}

/** A job's status for people. */
export function jobLines(job: JobStatus): string {
  const lines: [string, string | null][] = [
    ["job", job.id],
    ["kind", job.kind],
    ["pod", ownerOf(job)],
    ["state", job.state],
    ["in line", job.position === null ? null : `${job.position} before it`],
    ["error", job.error && `${job.error.code}: ${job.error.message}`],
    ["attempts", String(job.attempts.length)],
    ["accepted", job.createdAt.toISOString()],
    ["ended", job.endedAt?.toISOString() ?? null],
    ["callback", job.callback && `${job.callback.state}, ${job.callback.url}`],
    ...(job.callback?.log ?? []).map((one): [string, string] => ["", tryLine(one)]),
    ["", job.callback?.nextAt ? `next try ${job.callback.nextAt.toISOString()}` : null],
  ];
  return lined(lines, 9);
}

function lined(lines: readonly (readonly [string, string | null])[], width: number): string {
  return lines.flatMap(([name, value]) => (value === null ? [] : [`${name.padEnd(width)} ${plain(value)}\n`])).join("");
}

function tryLine({ n, at, endedAt, status, error }: DeliveryTry): string {
  return `try ${n}, ${at.toISOString()}: ${error ?? status ?? (endedAt === null ? "no answer on record" : "no answer")}`;
}
