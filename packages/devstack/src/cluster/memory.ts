import { readdir, readFile } from "node:fs/promises";

/** A process of a pod, by its pid inside, and the memory that is its own. */
export type Usage = { pid: number; bytes: number };

/** The memory of the processes that a /proc shows. Shared pages are left out: programs of this machine are shared by all pods. */
export async function memoryUsage(proc: string): Promise<Usage[]> {
  const names = (await readdir(proc).catch(() => [])).filter((name) => /^\d+$/.test(name));
  const all = await Promise.all(
    names.map(async (name) => {
      const [, kilobytes = "0"] = /^RssAnon:\s+(\d+) kB/m.exec(await readFile(`${proc}/${name}/status`, "utf8").catch(() => "")) ?? [];
      return { pid: Number(name), bytes: Number(kilobytes) * 1024 };
    }),
  );
  return all;
}

/** Whom the kernel would end: the biggest process, if all together have more than the limit. */
export function outOfMemory(usage: readonly Usage[], limitBytes: number): Usage | undefined {
  const total = usage.reduce((sum, { bytes }) => sum + bytes, 0);
  return total > limitBytes ? [...usage].sort((a, b) => b.bytes - a.bytes)[0] : undefined;
}

/** Looks every `everyMs` and calls `end` with a process to be ended; the returned function stops that. */
export function watchMemory(look: () => Promise<Usage[]>, limitBytes: number, end: (pid: number) => void, everyMs = 200): () => void {
  let looking = false;
  const timer = setInterval(() => {
    if (looking) return;
    looking = true;
    void look().then((usage) => {
      looking = false;
      const victim = outOfMemory(usage, limitBytes);
      if (victim) end(victim.pid);
    });
  }, everyMs);
  return () => clearInterval(timer);
}
