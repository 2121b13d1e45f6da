import type { Bounds, Kubectl } from "./kubectl.ts";
import type { KubeEvent, Pod } from "./objects.ts";
import { containerOf } from "./verdict.ts";

/** How often the container of a pod was started anew since the pod began, and how its last life went. */
export type Restarts = {
  count: number;
  last: {
    /** Kubernetes' word for why it ended: `OOMKilled`, `Error`, `Completed`, ...; `Unhealthy` where a probe of the pod had it ended. */
    reason: string;
    /** What its main process exited with, 128+n after a signal. */
    exitCode: number;
    /** What the probe, or the container itself, had to say; may be empty. */
    message: string;
    startedAt: Date;
    at: Date;
  } | null;
};

const MAX_MESSAGE = 500;

/** The restarts of a pod's container as its status tells them; undefined where nobody has reported the container. */
export function restartsOf(pod: Pod | undefined): Restarts | undefined {
  const container = containerOf(pod);
  if (container === undefined) return undefined;
  const { restartCount: count = 0, state, lastState } = container;
  const ended = state?.terminated ?? lastState?.terminated;
  if (count === 0 || ended === undefined) return { count, last: null };
  const { reason = "Error", exitCode, message = "", startedAt, finishedAt } = ended;
  return {
    count,
    last: { reason, exitCode, message: message.slice(0, MAX_MESSAGE), startedAt: dateOf(startedAt), at: dateOf(finishedAt) },
  };
}

/** The same, with the probe that had it ended: that stands in no status, only in the pod's events, which a cluster forgets and may drop. */
export function explained(restarts: Restarts, events: readonly KubeEvent[]): Restarts {
  const { count, last } = restarts;
  if (last === null) return restarts;
  // The times are whole seconds; the event comes before the end.
  const ofThatLife = events.filter((event) => timeOf(event) >= last.startedAt.getTime() && timeOf(event) <= last.at.getTime() + 1_000);
  const killing = ofThatLife.find(({ reason, message = "" }) => reason === "Killing" && doomed.test(message));
  const kind = doomed.exec(killing?.message ?? "")?.[1];
  if (kind === undefined) return restarts;
  const words = new RegExp(`^${kind} probe `, "i");
  const failures = ofThatLife.filter(({ reason, message = "" }) => reason === "Unhealthy" && words.test(message));
  const message = (newest(failures) ?? killing)?.message?.trim() ?? "";
  return { count, last: { ...last, reason: "Unhealthy", message: message.slice(0, MAX_MESSAGE) } };
}

const doomed = /failed (liveness|startup) probe/;

/** Explains the restarts of an observation, if there are any; what keeps it from that is no reason to know less. */
export async function withReasons<T extends { namespace: string; podUid?: string; restarts?: Restarts }>(
  kubectl: Kubectl,
  seen: T,
  bounds: Bounds,
): Promise<T> {
  const { restarts, namespace, podUid } = seen;
  if (podUid === undefined || restarts === undefined || restarts.last === null) return seen;
  const query = ["get", "events", `--namespace=${namespace}`, `--field-selector=involvedObject.uid=${podUid}`, "-o", "json"];
  try {
    const { items } = await kubectl.json<{ items: KubeEvent[] }>(query, bounds);
    return { ...seen, restarts: explained(restarts, items) };
  } catch {
    return seen;
  }
}

/** The event that happened last. */
export function newest(events: readonly KubeEvent[]): KubeEvent | undefined {
  return events.toSorted((a, b) => timeOf(b) - timeOf(a))[0];
}

const timeOf = ({ lastTimestamp, eventTime }: KubeEvent): number => Date.parse(lastTimestamp ?? eventTime ?? "") || 0;
const dateOf = (text: string | null = ""): Date => new Date(Date.parse(text ?? "") || 0);
