import { closeSync, openSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Db } from "mongodb";
import { startChild, type Child } from "./child.ts";
import type { Control } from "./controls.ts";
import type { WorkerOrder, WorkerReport, WorkerSettings } from "./worker/worker-child.ts";

/** A worker process. `paused`: stopped by a signal. `leaving`: how it is expected to end. */
export type Member = {
  slot: number;
  child: Child;
  paused: boolean;
  leaving: "SIGKILL" | 0 | undefined;
  hides: number;
  atPoint: Map<string, () => void>;
};

/** The workers: as many as there are slots; one that died is followed by a new one. */
export type Fleet = {
  /** Those that run and have nothing wrong with them. */
  members: () => Member[];
  /** Resolves with the member that comes to the point next and does as told there; undefined: none did in time. */
  arm: (point: string, signal: "SIGKILL" | "SIGSTOP", withinMs: number) => Promise<Member | undefined>;
  /** Makes all workers overlook these jobs, new ones from their start. False: one of them did not say that it does. */
  hide: (ids: readonly string[]) => Promise<boolean>;
  /** How many jobs each has by the record. */
  held: () => Promise<{ member: Member; jobs: string[] }[]>;
  /** Whether the worker of this name in a record still is a process. */
  isAlive: (worker: string) => boolean;
  /** Ends of workers that nobody wanted. */
  unwanted: () => readonly string[];
  /** Ends all in an orderly way; says who did not within the time. */
  stop: (withinMs: number) => Promise<string[]>;
  /** Ends all at once. */
  kill: () => Promise<void>;
};

const hideWithinMs = 15_000; // one that is paused says it when it goes on

// It stops itself just after it has said so.
async function wakeLate({ child }: Member): Promise<void> {
  for (let n = 0; n < 20; n++) {
    await delay(50);
    child.signal("SIGCONT");
  }
}

/** Starts a fleet. */
export async function startFleet(
  size: number,
  env: Record<string, string>,
  without: Control | undefined,
  db: Db,
  dir: string,
): Promise<Fleet> {
  const slots: (Member | undefined)[] = Array.from({ length: size }, () => undefined);
  const unwanted: string[] = [];
  let stopping = false;
  let generation = 0;
  let hidden: readonly string[] = [];

  const fill = async (slot: number): Promise<void> => {
    const log = openSync(join(dir, `worker-${slot}-${++generation}.log`), "w");
    const heard = (message: WorkerReport): void => {
      if ("at" in message) member?.atPoint.get(message.at)?.();
      else if (member) member.hides = message.hides;
    };
    let member: Member | undefined;
    try {
      const settings: WorkerSettings = { env, without };
      const child = await startChild(new URL("./worker/worker-child.ts", import.meta.url), settings, log, heard);
      member = { slot, child, paused: false, leaving: undefined, hides: 0, atPoint: new Map() };
    } catch {
      // It could not start, with Redis or MongoDB away: whoever runs it starts it again.
      if (!stopping) setTimeout(() => void fill(slot), 200);
      return;
    } finally {
      closeSync(log);
    }
    if (stopping) return member.child.signal("SIGKILL"); // it was starting when all were told to end
    const mine = member;
    slots[slot] = mine;
    if (hidden.length > 0) mine.child.send({ hide: [...hidden] } satisfies WorkerOrder);
    void mine.child.exited.then((how) => {
      slots[slot] = undefined;
      if (!stopping && how !== mine.leaving)
        unwanted.push(`worker ${mine.child.pid} ended with ${how}, expected was ${mine.leaving ?? "no end"}`);
      if (!stopping) void fill(slot);
    });
  };
  await Promise.all(slots.map(async (_, slot) => fill(slot)));

  const members = (): Member[] => slots.filter((one) => one !== undefined && !one.paused && one.leaving === undefined) as Member[];
  const order = (message: WorkerOrder, to = members()): void => to.forEach(({ child }) => child.send(message));

  return {
    members,
    async arm(point, signal, withinMs) {
      const { promise, resolve } = Promise.withResolvers<Member | undefined>();
      const asked = members();
      let over = false;
      for (const member of asked)
        member.atPoint.set(point, () => {
          if (signal === "SIGKILL") member.leaving = "SIGKILL";
          else if (over) void wakeLate(member);
          else member.paused = true;
          resolve(member);
        });
      order({ arm: point, signal }, asked);
      const timer = setTimeout(() => resolve(undefined), withinMs);
      const first = await promise;
      over = true;
      clearTimeout(timer);
      order({ disarm: point }, asked);
      return first;
    },
    async hide(ids) {
      hidden = ids;
      const all = slots.filter((one) => one !== undefined);
      order({ hide: [...ids] }, all);
      const until = performance.now() + hideWithinMs;
      const missing = (): boolean => all.some((member) => slots[member.slot] === member && member.hides !== ids.length);
      while (missing() && performance.now() < until) await delay(10);
      return !missing();
    },
    async held() {
      const jobs = await db
        .collection("jobs")
        .find({ state: "running" }, { projection: { worker: 1 } })
        .toArray();
      return members().map((member) => ({
        member,
        jobs: jobs.filter(({ worker }) => String(worker).includes(`-${member.child.pid}-`)).map(({ _id }) => String(_id)),
      }));
    },
    isAlive: (worker) => slots.some((one) => one !== undefined && worker.includes(`-${one.child.pid}-`)),
    unwanted: () => unwanted,
    async kill() {
      stopping = true;
      const left = slots.filter((one) => one !== undefined);
      for (const { child } of left) child.signal("SIGKILL");
      await Promise.all(left.map(async ({ child }) => child.exited));
    },
    async stop(withinMs) {
      stopping = true;
      const left = slots.filter((one) => one !== undefined);
      return (
        await Promise.all(
          left.map(async ({ child }) => {
            child.signal("SIGCONT");
            child.signal("SIGTERM");
            const late = new Promise<"late">((resolve) => setTimeout(() => resolve("late"), withinMs).unref());
            const how = await Promise.race([child.exited, late]);
            if (how === "late") child.signal("SIGKILL");
            return how === 0 ? [] : [`worker ${child.pid} was asked to stop: ${how}`];
          }),
        )
      ).flat();
    },
  };
}
