// The protections, switched off one at a time, by standing between a worker and its parts: the product has no switch.
import type { Execs, Pods } from "@podq/kube";
import type { JobDocument, JobStore } from "@podq/store";
import type { Parts } from "@podq/worker";
import type { Db } from "mongodb";
import type { Control } from "../controls.ts";
import { lineOf } from "./looks.ts";

const for30DaysMs = 30 * 86_400_000;

/** The settings of a worker without a protection. */
export function settingsWithout(control: Control | undefined): Record<string, string> {
  return control === "sweeper" ? { PODQ_SWEEP_MS: "604800000" } : {};
}

/** The parts of a worker without a protection. */
export function without(control: Control | undefined, parts: Parts, db: Db): Parts {
  const { store, pods, execs } = parts;
  const jobs = (change: Partial<JobStore>): Parts => ({ ...parts, store: { ...store, jobs: { ...store.jobs, ...change } } });
  switch (control) {
    case "turn": // nobody's turn keeps another out
      return jobs({
        claim: async (job, ...rest) => {
          const claimed = await store.jobs.claim(job, ...rest);
          await db.collection<JobDocument>("jobs").updateOne({ _id: job._id }, { $unset: { turn: "" } });
          return claimed;
        },
      });
    case "head": // whoever is in line may run
      return jobs({ head: async (podKey) => lineOf(store.jobs, podKey), turn: async () => ({ mayRun: true, next: null }) });
    case "claim": // the pod sees each attempt as a job of its own
      return { ...parts, execs: { ...execs, run: runAnew(execs) } };
    case "compare-and-set": // the last word counts, whoever has it
      return jobs({ end: async ({ id, attempt }, ending) => endAnyhow(db, id, attempt, ending) });
    case "lease": // what is claimed is claimed for ever
      return jobs({
        claim: async (job, worker, _leaseMs, target) => store.jobs.claim(job, worker, for30DaysMs, target),
        renew: async (worker, claims) => store.jobs.renew(worker, claims, for30DaysMs),
      });
    case "preconditions": // all generations under one name, deleted by that name
      return { store, pods: bareNames(pods), execs: { ...execs, run: inBareName(execs) } };
    case "sweeper":
    case undefined:
      return parts;
  }
}

function runAnew(execs: Execs): Execs["run"] {
  return async (target, request, control) =>
    execs.run(target, { ...request, jobId: `${request.jobId}-${request.attempt}`, attempt: 1 }, control);
}

async function endAnyhow(db: Db, id: string, attempt: number, { state, result, error }: Parameters<JobStore["end"]>[1]): Promise<boolean> {
  const version = { $add: ["$version", 1] };
  const history = { $concatArrays: ["$history", [{ version, at: "$$NOW", state, attempt }]] };
  const told = { state, result: { $literal: result }, error: { $literal: error }, endedAt: "$$NOW", leaseUntil: null };
  await db
    .collection<JobDocument>("jobs")
    .updateOne({ _id: id }, [{ $set: told }, { $unset: ["line", "turn"] }, { $set: { version, history } }]);
  return true;
}

const bare = (namespace: string): string => namespace.replace(/-\d+$/, "");

function bareNames(pods: Pods): Pods {
  return {
    ...pods,
    create: async (identity, spec, control) => pods.create({ ...identity, namespace: bare(identity.namespace) }, spec, control),
    observe: async (ref, control) => pods.observe({ namespace: bare(ref.namespace), deployment: ref.deployment }, control),
    sight: async (identity, control) => pods.sight({ ...identity, namespace: bare(identity.namespace), deploymentUid: undefined }, control),
    // A request that is under way cannot be called back: that it comes late is what the preconditions are for.
    delete: async (ref, { timeoutMs }) => pods.delete({ namespace: bare(ref.namespace), deployment: ref.deployment }, { timeoutMs }),
  };
}

function inBareName(execs: Execs): Execs["run"] {
  return async (target, request, control) => execs.run({ ...target, namespace: bare(target.namespace) }, request, control);
}
