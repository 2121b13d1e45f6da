import { readFileSync } from "node:fs";

/** The resident memory of a process, in MB. */
export function residentMb(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1e3;
}

/** Looks at a process's memory several times a second, until it is read: the most that was seen, in MB. */
export function watchMemory(pid: number): () => number {
  let peak = residentMb(pid);
  const timer = setInterval(() => (peak = Math.max(peak, residentMb(pid))), 100);
  return () => {
    clearInterval(timer);
    return peak;
  };
}
