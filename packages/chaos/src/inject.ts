import { setTimeout as delay } from "node:timers/promises";
import { cutSsh, killKubectl, restartApiServer, restartPart, slowSsh, stallSsh } from "./faults/cluster.ts";
import type { Field, Inject } from "./faults/field.ts";
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
  "kubelet-restart": "part",
  "containerd-restart": "part",
  "sshd-restart": "part",
};

const tries = 3;

/**
 * Injects faults of a plan, up to `lanes` at once, until the effect of as many as are wanted was seen, the plan is at its end, or
 * the signal aborts. Returns those whose effect was seen.
 */
export async function inject(
  field: Field,
  plan: readonly Fault[],
  { wanted, lanes }: { wanted: number; lanes: number },
  say: (line: string) => void,
  stop: AbortSignal,
): Promise<Done[]> {
  const done: Done[] = [];
  const left = [...plan];
  const busy = new Set<string>();

  let underWay = 0;

  const lane = async (): Promise<void> => {
    while (left.length > 0 && !stop.aborted && done.length < wanted) {
      if (done.length + underWay >= wanted) {
        await delay(20); // one that is under way may not be seen
        continue;
      }
      const at = left.findIndex(({ kind }) => !busy.has(groups[kind] ?? kind));
      if (at === -1) {
        await delay(20);
        continue;
      }
      const [fault] = left.splice(at, 1) as [Fault];
      const group = groups[fault.kind] ?? fault.kind;
      busy.add(group);
      underWay += 1;
      await delay(fault.waitMs, undefined, { signal: stop }).catch(() => undefined);
      for (let n = 0; n < tries && !stop.aborted; n++) {
        const from = new Date();
        const seen = await injections[fault.kind](field, fault).catch((error: unknown) => {
          say(`#${fault.n} ${fault.kind}: ${String(error)}`);
          return null;
        });
        if (seen !== null) {
          say(`#${fault.n} ${fault.kind}: ${seen.what}`);
          done.push({ fault, from, to: new Date(), what: seen.what, worker: seen.worker ?? null });
          break;
        }
        await delay(300);
      }
      busy.delete(group);
      underWay -= 1;
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  return done;
}
