// A producer in a process of its own, that keeps account of what it asked and was told by telling the run at once.
import { setTimeout as delay } from "node:timers/promises";
import { connect, type Podq } from "@podq/client";
import { report, settingsOf } from "../child.ts";
import { dice } from "../dice.ts";
import { createCaller, type PodsOf } from "./caller.ts";
import type { MarksTo } from "./command.ts";
import { load, type LoadPlan } from "./load.ts";

/** What the process is told first; later, an empty message: to ask for nothing more. */
export type ProducerSettings = {
  name: string;
  seed: number;
  redisUrl: string;
  mongodbUri: string;
  prefix: string;
  marks: MarksTo;
  create: PodsOf;
  plan: LoadPlan;
};

const settings = await settingsOf<ProducerSettings>();
const { name, seed, redisUrl, mongodbUri, prefix, marks, create, plan } = settings;
const stop = new AbortController();
process.on("message", () => stop.abort());

// It may be started while Redis or MongoDB is away.
async function connected(): Promise<Podq> {
  for (;;) {
    try {
      return await connect({ redisUrl, mongodbUri, prefix });
    } catch {
      await delay(200);
    }
  }
}

const podq = await connected();
const roll = dice(seed);
const caller = createCaller({ name, podq, roll, marks, create, tell: (event) => void report(event), stop: new AbortController().signal });
await report("ready");
await load(caller, roll, name, plan, stop.signal);
await podq.close();
await report("told");
process.exit();
