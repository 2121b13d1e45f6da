import { availableParallelism } from "node:os";
import { setTimeout as pause } from "node:timers/promises";
import { connect, type JobStatus, type Podq } from "@podq/client";
import { startMongo, startRedis } from "@podq/devstack";
import type { ApiReady } from "../api-child.ts";
import { startChild, type Child } from "../child.ts";
import { idleShare } from "../cpu.ts";
import { BenchError } from "../errors.ts";
import { markdownTable } from "../markdown.ts";
import { residentMb, watchMemory } from "../memory.ts";
import { figure, quantile } from "../stats.ts";
import { wasConnected, type StreamChange } from "./judge.ts";
import type { Cut, RelayReady, RelaySettings, StreamMoment } from "./relay-child.ts";
import type { Go, JobMoment } from "./worker-child.ts";

/** So many subscribers of as many jobs, which end so many a second; every 100 ms this share of the event streams is cut. */
export type SubscribersPlan = { subscribers: number; perSecond: number; cutShare: number };

/** Figures as they were measured: from the save of a result until its subscriber was told, in ms; memory of the API in MB. */
export type SubscribersReport = {
  connected: number[];
  cut: number[];
  cuts: number;
  /** The share of the machine that was busy while the subscribers only waited. */
  busy: number;
  memory: { idle: number; subscribed: number; peak: number };
  table: string;
};

/** The run whose figures count: about a minute. */
export const fullSubscribersPlan: SubscribersPlan = { subscribers: 1_000, perSecond: 50, cutShare: 0.01 };

/** A run that shows that all of it works, in seconds. */
export const quickSubscribersPlan: SubscribersPlan = { subscribers: 50, perSecond: 50, cutShare: 0.05 };

const prefix = "bench-subscribers";
const lostMs = 60_000;
const enqueuesAtOnce = 16;
const warmMs = 5_000;
// Then others are at work, and what waits for a processor waits for them.
const mostBusy = 0.25;

/** Measures. Throws BenchError `wrong-result` if a subscriber is not told exactly once of his job's end. */
export async function benchSubscribers(plan: SubscribersPlan, say: (line: string) => void, stop: AbortSignal): Promise<SubscribersReport> {
  const undo: (() => Promise<unknown>)[] = [];
  try {
    const scene = await openScene(plan, undo);
    say("services, API, worker and relay are up");
    const ids = await scene.enqueueAll();
    await until("every job runs", () => scene.begun.size === plan.subscribers);
    const idle = residentMb(scene.api.pid);
    say(`${ids.length} jobs run`);

    const told = new Map<string, bigint[]>(ids.map((id) => [id, []]));
    const heard = new Set<string>();
    const note = ({ id, state }: JobStatus): void => {
      heard.add(id);
      if (state === "succeeded") told.get(id)!.push(process.hrtime.bigint());
    };
    const subscriptions = ids.map((id) => scene.podq.job(id).subscribe(note));
    await until("every subscriber has heard of his job", () => heard.size === ids.length);
    const busy = (await idleShare(warmMs)) / availableParallelism();
    stop.throwIfAborted();
    const subscribed = residentMb(scene.api.pid);
    say(`${ids.length} subscribers wait`);

    const peak = watchMemory(scene.api.pid);
    scene.worker.tell({ perSecond: plan.perSecond } satisfies Go);
    const cutting = setInterval(() => scene.relay.tell({ share: plan.cutShare } satisfies Cut), 100);
    await until("every job's end is saved", () => scene.saved.size === ids.length).finally(() => clearInterval(cutting));
    await Promise.race([Promise.all(subscriptions.map(async ({ done }) => done)), late("every subscriber's end")]);
    say("all ends are told");

    const wrong = ids.filter((id) => told.get(id)!.length !== 1);
    if (wrong.length > 0) throw new BenchError("wrong-result", `${wrong.length} subscribers were not told exactly once`);
    const [connected, cut]: [number[], number[]] = [[], []];
    for (const id of ids) {
      const [saved, at] = [scene.saved.get(id)!, told.get(id)![0]!];
      (wasConnected(scene.streams.get(id) ?? [], saved, at) ? connected : cut).push(Number(at - saved) / 1e6);
    }
    const cuts = [...scene.streams.values()].flat().filter(({ what }) => what === "cut").length;
    const figures = { connected, cut, cuts, busy, memory: { idle, subscribed, peak: peak() } };
    return { ...figures, table: tableOf(plan, figures) };
  } finally {
    for (const one of undo.toReversed()) await one();
  }
}

type Scene = {
  podq: Podq;
  api: Child;
  worker: Child;
  relay: Child;
  begun: Set<string>;
  saved: Map<string, bigint>;
  streams: Map<string, StreamChange[]>;
  enqueueAll: () => Promise<string[]>;
};

async function openScene({ subscribers }: SubscribersPlan, undo: (() => Promise<unknown>)[]): Promise<Scene> {
  const redis = await startRedis();
  undo.push(redis.stop);
  const mongo = await startMongo();
  undo.push(mongo.stop);
  const databases = { redisUrl: redis.url, mongodbUri: mongo.uri.replace("/?", "/podq?"), prefix };
  const settings = { REDIS_URL: redis.url, MONGODB_URI: databases.mongodbUri, PODQ_PREFIX: prefix, PODQ_LOG_LEVEL: "warn" };
  const begun = new Set<string>();
  const saved = new Map<string, bigint>();
  const streams = new Map<string, StreamChange[]>();
  const start = async (file: string, given: object, heard: (message: never) => void): Promise<Child> => {
    const child = await startChild(new URL(file, import.meta.url), given, heard);
    undo.push(child.stop);
    return child;
  };
  const worker = await start("./worker-child.ts", { ...settings, PODQ_CONCURRENCY: String(subscribers) }, ({ id, what, at }: JobMoment) => {
    if (what === "begun") begun.add(id);
    else saved.set(id, BigInt(at));
  });
  let [apiUrl, url] = ["", ""];
  const limits = { PODQ_API_PORT: "0", PODQ_API_RATE: "1000000" };
  const api = await start("../api-child.ts", { ...settings, ...limits }, (ready: ApiReady) => (apiUrl = ready.url));
  const relay = await start("./relay-child.ts", { url: apiUrl } satisfies RelaySettings, (message: RelayReady | StreamMoment) => {
    if ("url" in message) url = message.url;
    else {
      const { id, what, at } = message;
      streams.set(id, [...(streams.get(id) ?? []), { what, at: BigInt(at) }]);
    }
  });
  const direct = await connect(databases);
  undo.push(direct.close);
  const podq = await connect({ url });
  undo.push(podq.close);
  return {
    podq,
    api,
    worker,
    relay,
    begun,
    saved,
    streams,
    async enqueueAll() {
      const ids: string[] = [];
      let next = 0;
      const producer = async (): Promise<void> => {
        while (next < subscribers) ids.push((await direct.pod({ project: `p${next++}` }).exec(["true"])).id);
      };
      await Promise.all(Array.from({ length: enqueuesAtOnce }, producer));
      return ids;
    },
  };
}

async function until(what: string, reached: () => boolean): Promise<void> {
  const giveUpAt = performance.now() + lostMs;
  while (!reached()) {
    if (performance.now() > giveUpAt) throw new BenchError("wrong-result", `gave up waiting until ${what}`);
    await pause(20);
  }
}

async function late(what: string): Promise<never> {
  await pause(lostMs, undefined, { ref: false });
  throw new BenchError("wrong-result", `gave up waiting for ${what}`);
}

function rowOf(busy: number, name: string, times: number[], what: string, measured: number, limitMs: number): string[] {
  return [
    name,
    String(times.length),
    ...[quantile(times, 0.5), quantile(times, 0.99), Math.max(...times)].map(figure),
    `${what} <= ${limitMs} ms: ${measured <= limitMs ? "reached" : busy > mostBusy ? "not judged" : "**not reached**"}`,
  ];
}

function tableOf(plan: SubscribersPlan, { connected, cut, cuts, busy, memory }: Omit<SubscribersReport, "table">): string {
  const head = ["subscribers", "results", "told after, p50 ms", "p99 ms", "at most ms", "goal"];
  const rows = [
    rowOf(busy, "connected when their result was saved, until they were told", connected, "p99", quantile(connected, 0.99), 50),
    rowOf(busy, "cut at that moment", cut, "all", Math.max(0, ...cut), 5_000),
  ];
  const { idle, subscribed, peak } = memory;
  const each = ((subscribed - idle) * 1_000) / plan.subscribers;
  return `${markdownTable(head, rows)}

${plan.subscribers} subscribers, ${plan.perSecond} results a second, ${cuts} streams cut; each was told exactly once. The machine was \
${figure(busy * 100)} % busy while they only waited. Resident memory of the API: ${figure(idle)} MB without \
subscribers, ${figure(subscribed)} MB with all of them (${figure(each)} kB each), ${figure(peak)} MB at most.`;
}
