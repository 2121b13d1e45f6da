import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { createLine } from "@podq/client/line";
import { parseRequest } from "@podq/jobs";
import { connectRedis, createDispatcher } from "@podq/queue";
import { openStore } from "@podq/store";
import { dice } from "../dice.ts";
import { prefix, type Scene } from "../scene.ts";
import { workOf } from "../work/caller.ts";
import { shellText } from "../work/command.ts";
import { monotonicMs, type Asked } from "../work/told.ts";
import { hiding } from "../worker/looks.ts";
import type { Field, Inject } from "./field.ts";

/** SIGKILL of a producer. */
export const killProducer: Inject = async ({ producers }, { roll }) => {
  const left = await producers.kill(roll);
  return left > 0 ? { what: `a producer died that was waiting for ${left} jobs` } : null;
};

/** A producer that dies between its two writes: the job is accepted, and nobody dispatches it. */
export const halfEnqueue: Inject = async (field, { n, roll }) => {
  const project = field.projects[roll % field.projects.length]!;
  return withStore(field.scene, async (store) => {
    const { id } = await insert(field, store, `half${n}`, project, roll);
    return { what: `job ${id} was recorded, and never dispatched` };
  });
};

/**
 * Two enqueues that overlap, the first of which becomes visible only when the job of the second runs already: its place in
 * line is before it, so every look says that it may run. Only the turn keeps the two apart.
 */
export const lateInsert: Inject = async (field, { n, roll }) => {
  const { scene, fleet } = field;
  const project = await idlest(field, roll);
  if (project === undefined) return null;
  return withStore(scene, async (store) => {
    const dispatcher = createDispatcher(await connectRedis(scene.redis.url, "caller"), prefix);
    const hidden = new Set<string>();
    const line = createLine({ ...store, jobs: hiding(store.jobs, hidden) }, dispatcher, () => undefined);
    const id = randomUUID();
    try {
      hidden.add(id);
      if (!(await fleet.hide([id]))) return null;
      const first = await insert(field, store, `late${n}a`, project, roll, id, async () => {
        const second = await insert(field, store, `late${n}b`, project, roll + 1);
        const job = await store.jobs.get(second.id);
        if (job !== null) await line.dispatch(job, true);
        const ran = await isRunning(store, second.id);
        // Everybody sees it from here on; before that its enqueue has not returned.
        hidden.clear();
        const seen = await fleet.hide([]);
        return { met: ran && seen ? second.id : null, accepted: seen };
      });
      const job = await store.jobs.get(id);
      if (job !== null) await line.dispatch(job, true);
      return first.met === null ? null : { what: `job ${id} became visible when ${first.met} behind it ran already` };
    } finally {
      await fleet.hide([]);
      await dispatcher.close();
    }
  });
};

// The one whose pod runs and has least to do.
async function idlest({ scene, projects }: Field, roll: number): Promise<string | undefined> {
  const unfinished = await scene.db
    .collection("jobs")
    .find({ state: { $in: ["queued", "running"] } }, { projection: { podKey: 1 } })
    .toArray();
  const running = (await scene.db.collection("pods").distinct("_id", { status: "running" })).map(String);
  const load = ({ key }: { key: string }): number => unfinished.filter(({ podKey }) => podKey === key).length;
  const from = roll % projects.length;
  return [...projects.slice(from), ...projects.slice(0, from)]
    .map((project) => ({ project, key: `project/${project}/default` }))
    .filter(({ key }) => running.includes(key))
    .toSorted((a, b) => load(a) - load(b))[0]?.project;
}

type Store = Awaited<ReturnType<typeof openStore>>;

async function withStore<T>({ mongo }: Scene, work: (store: Store) => Promise<T>): Promise<T> {
  const store = await openStore({ uri: mongo.uri, appName: "podq-chaos" });
  try {
    return await work(store);
  } finally {
    await store.close();
  }
}

async function isRunning(store: Store, id: string): Promise<boolean> {
  const until = performance.now() + 8_000;
  for (; performance.now() < until; await delay(20)) if ((await store.jobs.get(id))?.state !== "queued") return true;
  return false;
}

// The first of the two writes of an enqueue; `between` happens before it returns.
async function insert(
  { scene, tell }: Pick<Field, "scene" | "tell">,
  store: Store,
  name: string,
  project: string,
  seed: number,
  id: string = randomUUID(),
  between = async (): Promise<{ met: string | null; accepted: boolean }> => ({ met: null, accepted: true }),
): Promise<{ id: string; met: string | null }> {
  const ref = `${name}-${id.slice(0, 8)}`;
  const work = { ...workOf(dice(seed), ref, "short"), lines: 10, pauseMs: 100 };
  const asked: Asked = { kind: "exec", work, parallel: false, retryable: false, ends: "itself" };
  const params = { command: shellText(work, scene.collector.to), env: { CHAOS: work.token } };
  const request = parseRequest("exec", { owner: { project }, params, labels: { chaos: work.token } });
  tell({ event: "called", ref, pod: `project/${project}/default`, asked, key: null, atMs: monotonicMs() });
  await store.jobs.insert(id, request);
  const { met, accepted } = await between();
  if (accepted) tell({ event: "accepted", ref, jobId: id, atMs: monotonicMs() });
  return { id, met };
}
