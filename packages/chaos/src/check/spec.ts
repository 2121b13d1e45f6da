// What pods are made of: what a create that finds another pod than it asks for does to it, and what it says of that.
import { callsOf, groupBy, type History, type JobRecord, type Violation } from "./history.ts";

/** What is known of a pod after a job. */
type Known = Pick<NonNullable<JobRecord["made"]>, "generation" | "image">;

/** Creates whose pod is not what they asked for, by `ifChanged`, or that were refused though nothing was changed. */
export function specs({ events, jobs }: History): Violation[] {
  const asked = new Map(callsOf(events).flatMap(({ jobId, asked: what }) => (jobId === null ? [] : [[jobId, what] as const])));
  const harms = events.filter((event) => event.event === "harmed");
  return [...groupBy(jobs, ({ podKey }) => podKey).values()].flatMap((ofPod) => {
    let known: Known | null = null;
    let lastEndMs = 0;
    return ofPod
      .filter(({ kind, endedAtMs }) => kind !== "exec" && endedAtMs !== null)
      .toSorted((a, b) => a.endedAtMs! - b.endedAtMs!)
      .flatMap((job) => {
        const isHarmed = harms.some(({ pod, fromMs }) => pod === job.podKey && fromMs > lastEndMs && fromMs < job.endedAtMs!);
        const before: Known | null = isHarmed ? null : known;
        lastEndMs = job.startedAtMs ?? job.endedAtMs!;
        known = after(job, before);
        const request = asked.get(job.id);
        if (job.kind !== "create" || request?.kind !== "create") return [];
        const wrong = judged(job, request.ifChanged ?? "ignore", before) ?? misnamed(job);
        return wrong === null ? [] : [{ rule: "spec", jobs: [job.id], message: wrong }];
      });
  });
}

// What did not succeed may have changed the pod or not.
function after({ kind, state, made, error }: JobRecord, before: Known | null): Known | null {
  if (state === "succeeded" && made !== null && kind !== "delete") return made;
  return state === "failed" && error?.code === "conflict" ? before : null;
}

function judged(
  { state, made, error, askedImage: image }: JobRecord,
  ifChanged: "ignore" | "update" | "reject",
  before: Known | null,
): string | null {
  if (image === null) return null; // its template says which
  if (state === "failed" && error?.code === "conflict")
    return before === null || before.image !== image ? null : `it was refused, and the pod had the image that it asked for: ${image}`;
  if (state !== "succeeded" || made === null || made.image === image) return null;
  if (ifChanged !== "ignore") return `it asked for ${image} (${ifChanged}), succeeded, and the pod has ${made.image}`;
  if (before === null || (before.generation === made.generation && before.image === made.image)) return null;
  return `it found ${before.image} of generation ${before.generation}, asked for ${image}, and the pod has ${made.image} of generation ${made.generation}`;
}

// A pod that is all that a create asked for was made from that create's template.
function misnamed({ state, made, askedTemplate }: JobRecord): string | null {
  if (state !== "succeeded" || made === null || made.differs > 0 || made.template === askedTemplate) return null;
  return `it asked for template ${askedTemplate ?? "none"}, succeeded, and the pod is said to be of ${made.template ?? "none"}`;
}
