import { closeSync, openSync } from "node:fs";
import { join } from "node:path";
import { startChild, type Child } from "./child.ts";
import type { Event } from "./work/told.ts";
import type { ProducerSettings } from "./work/producer-child.ts";

/** The producers: processes that ask and are told. */
export type Producers = {
  /** Kills one; how much it had asked for that it was not told the end of. A new one follows. */
  kill: (roll: number) => Promise<number>;
  /** Lets them ask for nothing more; resolves when they were told all ends, false: not within the time. */
  finish: (withinMs: number) => Promise<boolean>;
  /** Ends of producers that nobody wanted. */
  unwanted: () => readonly string[];
  /** Ends all at once. */
  end: () => Promise<void>;
};

type Seat = { child: Child; open: Set<string>; told: Promise<void> };

/** Starts producers, who are called after `settings.name`; what they tell goes to `heard`. */
export async function startProducers(
  count: number,
  settings: ProducerSettings,
  dir: string,
  heard: (event: Event) => void,
): Promise<Producers> {
  const seats: Seat[] = [];
  const unwanted: string[] = [];
  let generation = 0;

  const fill = async (seat: number): Promise<void> => {
    const number = ++generation;
    const open = new Set<string>();
    const told = Promise.withResolvers<void>();
    const log = openSync(join(dir, `producer-${number}.log`), "w");
    const hear = (message: Event | "told"): void => {
      if (message === "told") return told.resolve();
      if (message.event === "accepted") open.add(message.jobId);
      if (message.event === "result") open.delete(message.jobId);
      heard(message);
    };
    const child = await startChild(
      new URL("./work/producer-child.ts", import.meta.url),
      { ...settings, name: `${settings.name}-p${number}`, seed: settings.seed + number } satisfies ProducerSettings,
      log,
      hear,
    );
    closeSync(log);
    void child.exited.then((how) => {
      if (how !== 0 && how !== "SIGKILL") unwanted.push(`producer ${number} ended with ${how}; its log says why`);
      told.resolve();
    });
    seats[seat] = { child, open, told: told.promise };
  };
  await Promise.all(Array.from({ length: count }, async (_, seat) => fill(seat)));

  return {
    async kill(roll) {
      const seat = roll % count;
      const { child, open } = seats[seat]!;
      child.signal("SIGKILL");
      await child.exited;
      const left = open.size;
      await fill(seat);
      return left;
    },
    unwanted: () => unwanted,
    async end() {
      for (const { child } of seats) child.signal("SIGKILL");
      await Promise.all(seats.map(async ({ child }) => child.exited));
    },
    async finish(withinMs) {
      for (const { child } of seats) child.send({});
      const late = new Promise<false>((resolve) => setTimeout(() => resolve(false), withinMs).unref());
      const inTime = await Promise.race([Promise.all(seats.map(async ({ told }) => told)).then(() => true), late]);
      await Promise.all(
        seats.map(async ({ child }) => {
          if (!inTime) child.signal("SIGKILL");
          return child.exited;
        }),
      );
      return inTime;
    },
  };
}
