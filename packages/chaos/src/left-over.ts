import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { queueName } from "@podq/queue";
import type { PodDocument } from "@podq/store";
import { Queue } from "bullmq";
import { Redis } from "ioredis";
import { kubectls } from "./faults/cluster.ts";
import { prefix, type Scene } from "./scene.ts";

/** Processes of commands that run on in pods, by the variable that each command has; pods are processes of this machine. */
export function commandsLeft(tokens: ReadonlySet<string>): string[] {
  return readdirSync("/proc").flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      const token = /(?:^|\0)CHAOS=([^\0]*)/.exec(readFileSync(`/proc/${name}/environ`, "utf8"))?.[1];
      return token !== undefined && tokens.has(token) ? [`process ${name} of ${token}, whose job has ended, lives on`] : [];
    } catch {
      return []; // gone, or not ours
    }
  });
}

/** What the queue still has to do. */
export async function queueLeft({ redis }: Scene): Promise<string[]> {
  const client = new Redis(redis.url, { maxRetriesPerRequest: null });
  const queue = new Queue(queueName, { connection: client, prefix });
  try {
    const left = await queue.getJobs(["active", "waiting", "delayed", "prioritized"]);
    return await Promise.all(
      left
        .filter((job) => job !== undefined)
        .map(async (job) => `BullMQ has job ${job.id} (${job.name}) as ${await job.getState()}, due in ${job.delay} ms`),
    );
  } finally {
    await queue.close();
    client.disconnect();
  }
}

/** Turns that are held by jobs that have ended. */
export async function turnsLeft({ db }: Scene): Promise<string[]> {
  const held = await db
    .collection("jobs")
    .find({ state: { $nin: ["queued", "running"] }, turn: { $exists: true } })
    .toArray();
  return held.map(({ _id, state }) => `job ${String(_id)} is ${state} and holds a turn`);
}

/** Pods that have lived for as long as they may. */
export async function overdueLeft({ db }: Scene): Promise<string[]> {
  const overdue = await db
    .collection<PodDocument>("pods")
    .find({ "expiry.ttlAt": { $lte: new Date() }, "expiry.firedAt": null, status: { $nin: ["deleting", "deleted"] } })
    .toArray();
  return overdue.map(({ _id, expiry }) => `pod ${_id} should have been deleted at ${expiry?.ttlAt?.toISOString()}`);
}

/** Channels to the cluster that are still open on its host. */
export function channelsLeft({ installation }: Scene): string[] {
  return kubectls(installation).map(({ pid, argv }) => `kubectl ${pid} lives on: ${argv}`);
}

/** The installation's namespaces that are still on the cluster. */
export async function namespacesLeft({ cluster, installation }: Scene): Promise<string[]> {
  const { code, stdout, stderr } = await cluster.kubectl([
    "get",
    "namespaces",
    "--selector",
    `podq.dev/installation=${installation}`,
    "-o",
    "name",
  ]);
  if (code !== 0) return [`kubectl does not say which namespaces are left: ${stderr}`];
  return stdout
    .split("\n")
    .filter((line) => line !== "")
    .map((name) => `${name} is left`);
}

/** Asks until nothing is left, or the time is over; what is left then. */
export async function untilNone(ask: () => Promise<string[]> | string[], withinMs: number): Promise<string[]> {
  const until = performance.now() + withinMs;
  for (;;) {
    const left = await ask();
    if (left.length === 0 || performance.now() > until) return left;
    await delay(200);
  }
}
