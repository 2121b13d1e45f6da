import type { Code, PodStatus } from "@podq/jobs";
import type { Ended, Sight } from "@podq/kube";
import type { PodDocument } from "@podq/store";
import { codeOf } from "../outcome.ts";

/** A reason, as it is recorded. */
export type Reason = { code: Code; message: string };

/**
 * What the record is to say. `change`: believe it once it has been the same for `afterMs`. `gone`: a delete that failed, or was given
 * up, has come to its end after all.
 */
export type Decision =
  | { kind: "agree" }
  | { kind: "gone"; afterMs: number }
  | { kind: "change"; status: PodStatus; error: Reason | null; cause: Reason | null; drifted: string[]; afterMs: number };

// A namespace that is deleted takes six seconds to go, a container that ended a second or two to run again, a pod that was replaced a few.
const goingMs = 20_000;
const failingMs = 3_000;
const startingMs = 15_000;

const outside = (message: string): Reason => ({ code: "changed-outside", message });

// Who changes the spec has the pod replaced, too.
function changed(drifted: readonly string[]): Reason | null {
  return drifted.length === 0 ? null : outside(`changed on the cluster, and by no job: ${drifted.join(", ")}`);
}

/** Compares a pod's record with what the cluster has of it. Pure: no clock, no memory. */
export function decide(pod: PodDocument, sight: Sight): Decision {
  if (pod.status === "deleted") return { kind: "agree" };
  if (pod.deleteBegun) return ofDeleted(pod, sight);
  const drifted = driftOf(pod, sight);
  const decision = ofLiving(pod, sight, drifted);
  if (decision.kind !== "agree" || sight.verdict.kind === "absent" || sameSet(drifted, pod.drifted ?? [])) return decision;
  return { kind: "change", status: pod.status, error: pod.error, cause: changed(drifted), drifted, afterMs: 0 };
}

/** What tells two decisions apart, for the time that one has to be the same. Why it is so is not of it: a look of its own may know better. */
export function keyOf(decision: Decision): string {
  if (decision.kind !== "change") return decision.kind;
  return JSON.stringify([decision.status, decision.error?.code, decision.drifted]);
}

function ofDeleted(pod: PodDocument, { namespace, held, verdict }: Sight): Decision {
  if (namespace === "absent" && verdict.kind === "absent") return { kind: "gone", afterMs: 0 };
  if (pod.status === "error" || namespace !== "going") return { kind: "agree" };
  return failed(pod, stuck(pod, held), [], goingMs);
}

function ofLiving(pod: PodDocument, sight: Sight, drifted: string[]): Decision {
  const { verdict } = sight;
  if (sight.namespace === "going") return failed(pod, stuck(pod, sight.held), drifted, goingMs);
  switch (verdict.kind) {
    case "absent":
      // A create that came to nothing has left nothing to be missed.
      if (pod.namespaceUid === null) return { kind: "agree" };
      return failed(pod, { code: "not-found", message: "its objects are gone from the cluster: somebody else has deleted them" }, [], 0);
    case "stopped":
      return pod.status === "stopped"
        ? { kind: "agree" }
        : moved("stopped", outside("its Deployment was scaled to 0, and by no job"), drifted, 0);
    case "starting": {
      if (pod.status !== "running") return { kind: "agree" };
      const message = `it is not ready any more, or started anew, for ${startingMs / 1_000} s`;
      return failed(pod, { code: "start-timeout", message }, drifted, startingMs);
    }
    case "running":
      return ofRunning(pod, sight, drifted, verdict.holdMs);
    case "failed": {
      const reason = { code: codeOf(verdict.code), message: verdict.message || verdict.code };
      return failed(pod, reason, drifted, Math.max(verdict.holdMs, failingMs));
    }
  }
}

function ofRunning(pod: PodDocument, sight: Sight, drifted: string[], afterMs: number): Decision {
  const { podUid, startedAt } = sight.observation;
  if (pod.status === "error") return moved("running", pod.error, drifted, afterMs);
  if (pod.status === "stopped") return moved("running", outside("its Deployment was scaled up, and by no job"), drifted, afterMs);
  if (pod.status !== "running") return moved("running", null, drifted, afterMs);
  if (pod.podUid !== podUid) {
    const ended = pod.podUid === null ? undefined : sight.ended.get(pod.podUid);
    const replaced = { code: "pod-replaced" as const, message: "its pod was removed, and the cluster has made a new one" };
    return moved("running", ended ? reasonOf(ended) : (changed(drifted) ?? replaced), drifted, afterMs);
  }
  if (pod.startedAt?.getTime() === startedAt?.getTime()) return { kind: "agree" };
  return moved("running", sight.lastEnd ? reasonOf(sight.lastEnd) : null, drifted, afterMs);
}

function moved(status: PodStatus, cause: Reason | null, drifted: string[], afterMs: number): Decision {
  return { kind: "change", status, error: null, cause, drifted, afterMs };
}

// What is said already is not said again in other words.
function failed(pod: PodDocument, reason: Reason, drifted: string[], afterMs: number): Decision {
  if (pod.status === "error" && pod.error?.code === reason.code) return { kind: "agree" };
  return { kind: "change", status: "error", error: reason, cause: reason, drifted, afterMs };
}

function stuck({ namespace, deleteBegun }: PodDocument, held: string): Reason {
  const who = deleteBegun ? "is being deleted" : "is being deleted by somebody else";
  return { code: "namespace-stuck", message: `namespace ${namespace} ${who} and does not go${held === "" ? "" : `: ${held}`}` };
}

/** The fields that are not as a job left them. Those that it did not know of yet are as they should be. */
function driftOf({ marks }: PodDocument, { observation, replicas }: Sight): string[] {
  const now = observation.marks ?? {};
  const fields = Object.keys(marks ?? {}).filter((field) => field in now && now[field] !== marks?.[field]);
  return replicas > 1 ? [...fields, "replicas"] : fields;
}

function sameSet(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((one) => b.includes(one));
}

function reasonOf({ code, message }: Ended): Reason {
  return { code: codeOf(code), message };
}
