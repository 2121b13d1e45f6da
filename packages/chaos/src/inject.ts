import { setTimeout as delay } from "node:timers/promises";
import { cutSsh, killKubectl, restartApiServer, restartPart, slowSsh, stallSsh } from "./faults/cluster.ts";
import type { Field, Inject } from "./faults/field.ts";
import { deleteNamespace, deletePod } from "./faults/pods.ts";
import { halfEnqueue, killProducer, lateInsert } from "./faults/producers.ts";
import { flushRedis, killRedisClients, promoteAll, restartMongo, restartRedis, stepDownMongo } from "./faults/services.ts";
import { dieAtPoint, freezeAtPoint, killWorker, pauseWorker, restartWorker } from "./faults/workers.ts";
import type { Fault, FaultKind } from "./plan.ts";

/** A fault whose effect was seen. Times are the machine's. */
export type Done = { fault: Fault; from: Date; to: Date; what: string; worker: string | null };

const injections: Record<FaultKind, Inject> = {
  "worker-kill": killWorker,
  "worker-pause": pauseWorker,
  "worker-failpoint": dieAtPoint,
  "worker-freeze": freezeAtPoint,
  "worker-restart": restartWorker,
  "producer-kill": killProducer,
  "producer-half": halfEnqueue,
  "late-insert": lateInsert,
  "redis-promote": promoteAll,
  "redis-client-kill": killRedisClients,
  "redis-restart": restartRedis,
  "redis-flush": flushRedis,
  "mongo-restart": restartMongo,
  "mongo-step-down": stepDownMongo,
  "ssh-cut": cutSsh,
  "ssh-stall": stallSsh,
  "ssh-delay": slowSsh,
  "kubectl-kill": killKubectl,
  "apiserver-restart": restartApiServer,
  "namespace-delete": deleteNamespace,
  "pod-delete": deletePod,
  "kubelet-restart": restartPart("kubelet"),
  "containerd-restart": restartPart("containerd"),
  "sshd-restart": restartPart("sshd"),
};

// Two faults of one group would undo each other. What writes as a producer does needs MongoDB and Redis to answer it.
const groups: Partial<Record<FaultKind, string>> = {
  "redis-restart": "redis",
  "redis-flush": "redis",
  "redis-client-kill": "redis",
  "redis-promote": "redis",
  "mongo-restart": "mongo",
  "mongo-step-down": "mongo",
  "producer-half": "mongo",
  "late-insert": "mongo",
  "ssh-cut": "ssh",
  "ssh-stall": "ssh",
  "ssh-delay": "ssh",
  "apiserver-restart": "part",
  "namespace-delete": "part",
  "pod-delete": "part",
  "kubelet-restart": "part",
  "containerd-restart": "part",
  "sshd-restart": "part",
};

const tries = 2;

/**
 * `wanted` effects seen, up to `lanes` faults at once, each lane resting for `restMs` after one; when nothing was seen for
 * `patienceMs`, there is nothing left to hit.
 */
type Pace = { wanted: number; lanes: number; restMs: number; patienceMs: number };

/** Injects faults of a plan until as many as are wanted were seen, nothing is left to hit, or the signal aborts. Returns those that were seen. */
export async function inject(
  field: Field,
  plan: readonly Fault[],
  { wanted, lanes, restMs, patienceMs }: Pace,
  say: (line: string) => void,
  stop: AbortSignal,
): Promise<Done[]> {
  const done: Done[] = [];
  const left = [...plan];
  const busy = new Set<string>();
  let seenAtMs = performance.now();
  const isOver = (): boolean => left.length === 0 || stop.aborted || done.length >= wanted || performance.now() - seenAtMs > patienceMs;

  const attempt = async (fault: Fault): Promise<boolean> => {
    const from = new Date();
    const seen = await injections[fault.kind](field, fault).catch((error: unknown) => {
      say(`#${fault.n} ${fault.kind}: ${String(error)}`);
      return null;
    });
    if (seen === null) return false;
    say(`#${fault.n} ${fault.kind}: ${seen.what}`);
    done.push({ fault, from, to: new Date(), what: seen.what, worker: seen.worker ?? null });
    return true;
  };

  const lane = async (): Promise<void> => {
    while (!isOver()) {
      // As many as are wanted may be under way; one of them may not be seen.
      const at = done.length + busy.size >= wanted ? -1 : left.findIndex(({ kind }) => !busy.has(groups[kind] ?? kind));
      const [fault] = at === -1 ? [] : left.splice(at, 1);
      if (fault === undefined) {
        await delay(20);
        continue;
      }
      const group = groups[fault.kind] ?? fault.kind;
      busy.add(group);
      await delay(fault.waitMs, undefined, { signal: stop }).catch(() => undefined);
      let seen = false;
      for (let n = 0; n < tries && !seen && !stop.aborted; n++) {
        seen = await attempt(fault);
        if (!seen) await delay(300);
      }
      if (seen) seenAtMs = performance.now();
      await delay(restMs, undefined, { signal: stop }).catch(() => undefined);
      busy.delete(group);
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  return done;
}
