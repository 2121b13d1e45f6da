import { dice, shuffled, type Dice } from "./dice.ts";

/** Every kind of fault that both clusters can have. */
export const commonKinds = [
  "worker-kill", // SIGKILL of the worker that has most to do
  "worker-pause", // SIGSTOP, and SIGCONT when its leases are over
  "worker-failpoint", // SIGKILL of itself at a named point of a job's life
  "worker-freeze", // SIGSTOP of itself at such a point, and SIGCONT when its leases are over
  "worker-restart", // SIGTERM: hands over and exits with 0
  "producer-kill", // SIGKILL of a producer
  "producer-half", // a producer dies between its two writes
  "redis-client-kill", // CLIENT KILL of all
  "redis-restart", // SIGKILL, and what its append-only file has
  "redis-flush", // FLUSHALL
  "late-insert", // one of two enqueues that overlap becomes visible when the other job runs already
  "redis-promote", // every job that waits is sent for, whether or not it is its turn
  "mongo-restart", // SIGKILL
  "mongo-step-down", // no primary for a while
  "ssh-cut", // all TCP connections reset
  "ssh-stall", // they stay open and bring nothing
  "ssh-delay", // every piece comes late
  "kubectl-kill", // SIGKILL of every kubectl on the host
  "apiserver-restart",
  "namespace-delete", // of a pod that runs, past podq
  "pod-delete", // past podq; the cluster makes another
] as const;

/** What only a cluster with parts of its own can have. */
export const partKinds = ["kubelet-restart", "containerd-restart", "sshd-restart"] as const;

/** A kind of fault. */
export type FaultKind = (typeof commonKinds)[number] | (typeof partKinds)[number];

/** Points at which a worker can be told to die or to freeze: before and after each call between a job's claim and its last write. */
export const points = [
  "jobs.get",
  "jobs.head",
  "jobs.turn",
  "pods.get",
  "jobs.claim",
  "execs.run",
  "output.append",
  "kube.create",
  "kube.delete",
  "pods.patch",
  "jobs.end",
  "input.remove",
].flatMap((call) => [`${call}:before`, `${call}:after`] as const);

/** One fault of a plan. `waitMs` passes before it, `forMs` is how long its cause lasts, `roll` chooses among what there is then. */
export type Fault = { n: number; kind: FaultKind; waitMs: number; forMs: number; roll: number; point: string };

// A plan is dealt from decks with each kind once, so that each has its share, whatever the length; points are many, so they get more.
const inEachDeck: Partial<Record<FaultKind, number>> = { "worker-failpoint": 3, "worker-freeze": 2 };

/** A plan of faults: the same for the same arguments, and a longer one begins like a shorter one. */
export function makePlan(
  seed: number,
  count: number,
  kinds: readonly FaultKind[],
  { points: atPoints = points, atLeastMs = 200 }: { points?: readonly string[]; atLeastMs?: number } = {},
): Fault[] {
  const [cards, roll] = [dice(seed, 1), dice(seed, 2)];
  const deck = kinds.flatMap((kind) => Array.from({ length: kinds.length > 4 ? (inEachDeck[kind] ?? 1) : 1 }, () => kind));
  const dealt: FaultKind[] = [];
  while (dealt.length < count) dealt.push(...shuffled(cards, deck));
  const nextPoint = { "worker-failpoint": inTurn(dice(seed, 3), atPoints), "worker-freeze": inTurn(dice(seed, 4), atPoints) };
  return dealt.slice(0, count).map((kind, n) => {
    const point = kind === "worker-failpoint" || kind === "worker-freeze" ? nextPoint[kind]() : "";
    return { n, kind, waitMs: 100 + roll(500), forMs: atLeastMs + roll(1_800), roll: roll(2 ** 31), point };
  });
}

// Each of them once before any comes again.
function inTurn(roll: Dice, all: readonly string[]): () => string {
  let left: string[] = [];
  return () => {
    if (left.length === 0) left = shuffled(roll, all);
    return left.pop()!;
  };
}
