// One negative control, in a process of its own.
import { report, settingsOf } from "./child.ts";
import { chaos } from "./chaos.ts";
import { aims, type Control } from "./controls.ts";

/** What the process is told first. */
export type ControlSettings = { control: Control; seed: number; faults: number };

/** What it tells in the end: after how many faults it found what shows that the protection is off; null: it did not. */
export type ControlReport = { faults: number; found: string | null };

const { control, seed, faults } = await settingsOf<ControlSettings>();
await report("ready");
const command = { faults, seed, cluster: "embedded", defaults: false, without: control, only: undefined, controls: false } as const;
const stop = new AbortController();
process.once("SIGTERM", () => stop.abort());
const say = (line: string): void => void process.stderr.write(`${line}\n`);
const { done, violations } = await chaos(command, aims[control].scale, say, stop.signal);
const shown = violations.find(({ rule }) => aims[control].shows.includes(rule));
const found = shown === undefined ? null : `${shown.rule}: ${shown.message}`;
await report({ faults: done.length, found } satisfies ControlReport);
process.exit();
