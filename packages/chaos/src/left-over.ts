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

/** Pods whose record and cluster disagree about whether they run. */
export async function recordsAside({ cluster, db, installation }: Scene): Promise<string[]> {
  const selector = `podq.dev/installation=${installation}`;
  const { code, stdout, stderr } = await cluster.kubectl(["get", "deployments", "--all-namespaces", "--selector", selector, "-o", "json"]);
  if (code !== 0) return [`kubectl does not say which pods there are: ${stderr}`];
  type Deployments = {
    items: { metadata: { namespace: string; name: string }; spec: { replicas?: number }; status: { readyReplicas?: number } }[];
  };
  const there = new Map((JSON.parse(stdout) as Deployments).items.map((one) => [`${one.metadata.namespace}/${one.metadata.name}`, one]));
  const pods = await db.collection<PodDocument>("pods").find().toArray();
  return pods.flatMap(({ _id, status, namespace, identity }) => {
    const found = there.get(`${namespace}/${identity.deployment}`);
    const is =
      found === undefined ? "absent" : found.spec.replicas === 0 ? "stopped" : found.status.readyReplicas ? "running" : "not ready";
    const agrees = { running: ["running"], stopped: ["stopped"], deleted: ["absent"] }[status as string]?.includes(is) ?? is !== "running";
    return agrees ? [] : [`pod ${_id} is ${status} on record, and ${is} on the cluster`];
  });
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
