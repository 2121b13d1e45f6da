import { connect } from "@podq/client";
import { check } from "./check/check.ts";
import type { History, Violation } from "./check/history.ts";
import type { ChaosCommand } from "./command.ts";
import { clusterPart } from "./config.ts";
import { aims } from "./controls.ts";
import { dice } from "./dice.ts";
import { dumpJobs } from "./dump.ts";
import { ChaosError } from "./errors.ts";
import type { Field } from "./faults/field.ts";
import { startFleet } from "./fleet.ts";
import { startIdling } from "./idling.ts";
import { inject, type Done } from "./inject.ts";
import { commonKinds, makePlan, partKinds } from "./plan.ts";
import { startProducers } from "./producers.ts";
import { comeToRest } from "./rest.ts";
import type { Scale } from "./scale.ts";
import { openScene, prefix } from "./scene.ts";
import { watch } from "./watch.ts";
import { createCaller, saveTemplates } from "./work/caller.ts";
import { monotonicMs, type Event } from "./work/told.ts";

/** What came of a run. `dir` has the logs of a run with violations. */
export type Outcome = { done: Done[]; history: History; violations: Violation[]; dir: string };

const shortTimes = {
  PODQ_LEASE_MS: "2000",
  PODQ_SWEEP_MS: "1000",
  PODQ_STALL_CHECK_MS: "1000",
  PODQ_RECONCILE_MS: "1000",
  PODQ_ORPHAN_GRACE_MS: "2000",
};
const defaultLeaseMs = 10_000;
const resources = { memory: "64Mi", cpu: "500m", memoryRequests: "10Mi", cpuRequests: "5m" };

/** Runs a fleet under faults, lets it come to rest, and checks what came of it. */
export async function chaos(command: ChaosCommand, scale: Scale, say: (line: string) => void, stop: AbortSignal): Promise<Outcome> {
  const { faults, seed, without, defaults } = command;
  const aim = without === undefined ? undefined : aims[without];
  const part = command.cluster === "real" && clusterPart() !== undefined;
  const plan = makePlan(seed, 2 * faults, command.only ?? aim?.kinds ?? [...commonKinds, ...(part ? partKinds : [])], aim);
  const scene = await openScene({ PODQ_GRACE_MS: "20000", ...(defaults ? {} : shortTimes) });
  let keep = false;
  const undo: (() => Promise<unknown>)[] = [];
  try {
    say(`services are up: cluster ${command.cluster}, installation ${scene.installation}, logs in ${scene.dir}`);
    const events: Event[] = [];
    const tell = (event: Event): void => void events.push(event);
    const projects = Array.from({ length: scale.pods }, (_, n) => `w${n}`);
    const create = { image: scene.cluster.image, image2: scene.cluster.image2, resources };
    const common = { redisUrl: scene.redis.url, mongodbUri: scene.mongo.uri, prefix };
    const podq = await connect(common);
    undo.push(podq.close);
    await saveTemplates(podq, create);
    const closing = new AbortController();
    undo.push(async () => closing.abort());
    const caller = createCaller({
      stop: closing.signal,
      name: `${scene.installation}-main`,
      podq,
      roll: dice(seed, 1),
      marks: scene.collector.to,
      create,
      tell,
    });
    const fleet = await startFleet(scale.workers, scene.env, without, scene.db, scene.dir);
    undo.push(fleet.kill);
    await each(projects, async (project) => (await caller.ask(project, { kind: "create" }))?.done);
    say(`${scale.workers} workers, ${scale.pods} pods`);
    const load = { projects: projects.slice(0, aim?.loaded), chains: scale.chains, pauseMs: scale.pauseMs, mix: scale.mix };
    const producers = await startProducers(
      scale.producers,
      { ...common, name: scene.installation, seed, marks: scene.collector.to, create, plan: load },
      scene.dir,
      tell,
    );
    undo.push(producers.end);

    const idling = aim === undefined ? startIdling({ db: scene.db, projects, caller, roll: dice(seed, 2) }) : undefined;
    undo.push(async () => idling?.stop());

    const field: Field = {
      scene,
      fleet,
      producers,
      caller,
      tell,
      projects,
      leaseMs: defaults ? defaultLeaseMs : Number(shortTimes.PODQ_LEASE_MS),
    };
    const snapshot = async (left: string[] = []): Promise<History> => {
      const [told, marks] = [[...events], scene.collector.marks()];
      return { events: told, marks, epochMs: Date.now() - monotonicMs(), jobs: await dumpJobs(scene.db), left };
    };
    const enough = new AbortController();
    const watching = aim === undefined ? Promise.resolve([]) : watch(snapshot, fleet.isAlive, aim.shows, enough);
    // An aimed fault is to be alone, and what it was aimed at may have stopped for good. One kind alone is there to be measured.
    const aimed = { lanes: 1, restMs: 0, patienceMs: 60_000 };
    const measured = { lanes: 1, restMs: 1.5 * field.leaseMs, patienceMs: 120_000 };
    const mixed = { lanes: scale.lanes, restMs: 0, patienceMs: 120_000 };
    const pace = { wanted: faults, ...(without !== undefined ? aimed : command.only !== undefined ? measured : mixed) };
    const done = await inject(field, plan, pace, say, AbortSignal.any([stop, enough.signal]));
    if (stop.aborted) throw new ChaosError("not-set-up", "stopped before the end of the plan");
    say(`${done.length} faults are over, coming to rest`);
    await idling?.stop();
    const resting = { scene, fleet, producers, caller, projects, snapshot, withinMs: without === undefined ? 60_000 : 15_000 };
    const left = enough.signal.aborted ? [] : await comeToRest(resting);
    enough.abort();
    const early = await watching;
    const history = await snapshot([...left, ...fleet.unwanted(), ...producers.unwanted()]);
    const violations = early.length > 0 ? early : check(history);
    keep = violations.length > 0;
    return { done, history, violations, dir: scene.dir };
  } finally {
    for (const one of undo.toReversed()) await one();
    await scene.close(keep);
  }
}

async function each(projects: readonly string[], work: (project: string) => Promise<unknown>): Promise<void> {
  await Promise.all(projects.map(work));
}
