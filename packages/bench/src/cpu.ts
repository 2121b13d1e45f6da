import { readFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";

/** What passed between the start of a meter and its reading. CPU times are summed over all processors. */
export type Reading = { wallMs: number; machineMs: number; clientMs: number };

const TICK_MS = 10; // USER_HZ is 100 on every Linux that Node runs on

/** The busy time of the whole machine since its boot, out of the text of /proc/stat: user, nice, system, irq, softirq. */
export function busyMs(stat: string): number {
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0] = (/^cpu +(.*)$/m.exec(stat)?.[1] ?? "").split(" ").map(Number);
  return (user + nice + system + irq + softirq) * TICK_MS;
}

/** Starts a meter; the returned function reads it. */
export function startMeter(): () => Reading {
  const started = performance.now();
  const machine = busyMs(readFileSync("/proc/stat", "utf8"));
  const client = process.cpuUsage();
  return () => {
    const { user, system } = process.cpuUsage(client);
    return {
      wallMs: performance.now() - started,
      machineMs: busyMs(readFileSync("/proc/stat", "utf8")) - machine,
      clientMs: (user + system) / 1000,
    };
  };
}

/** How busy the machine is when the bench does nothing: busy time a time, 1 is one whole processor. */
export async function idleShare(forMs: number): Promise<number> {
  const read = startMeter();
  await pause(forMs);
  const { machineMs, wallMs } = read();
  return machineMs / wallMs;
}
