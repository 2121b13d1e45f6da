import type { Sight } from "@podq/kube";
import type { PodDocument } from "@podq/store";
import { expect, it } from "vitest";
import { decide, keyOf, type Decision } from "./decide.ts";

const startedAt = new Date(1_000);
const pod = (change: Partial<PodDocument> = {}): PodDocument =>
  ({
    status: "running",
    deleteBegun: false,
    namespace: "n",
    namespaceUid: "nu",
    podUid: "a",
    startedAt,
    error: null,
    cause: null,
    drifted: [],
    marks: { image: "1", env: "2" },
    ...change,
  }) as PodDocument;

const running = { kind: "running", holdMs: 0 } as const;
const sight = (change: Partial<Omit<Sight, "observation">> = {}, seen: Partial<Sight["observation"]> = {}): Sight =>
  ({
    observation: { podUid: "a", startedAt, marks: { image: "1", env: "2" }, ...seen },
    verdict: running,
    replicas: 1,
    namespace: "there",
    held: "",
    ended: new Map(),
    lastEnd: undefined,
    ...change,
  }) as Sight;

const failedAs = (code: "evicted" | "crash-loop" | "node-lost", holdMs = 0) => ({ kind: "failed", code, message: "m", holdMs }) as const;
const error = (code: "evicted" | "not-found" | "namespace-stuck") => ({ code, message: "m", at: new Date(0) });
const evicted = { code: "evicted", message: "full" } as const;
const gone = { verdict: { kind: "absent" }, namespace: "absent" } as const;

// What becomes of the record, its reason, and how long that has to be so.
const short = (decision: Decision): string => {
  if (decision.kind !== "change") return decision.kind;
  const { status, error: failure, cause, drifted, afterMs } = decision;
  return [status, failure?.code ?? "-", cause?.code ?? "-", ...drifted, `${afterMs / 1_000} s`].join(" ");
};

it.each<[string, PodDocument, Sight, string]>([
  ["runs as recorded", pod(), sight(), "agree"],
  ["is gone with its namespace", pod(), sight(gone), "error not-found not-found 0 s"],
  ["has lost its Deployment alone", pod(), sight({ verdict: { kind: "absent" } }), "error not-found not-found 0 s"],
  ["is gone, which is on record", pod({ status: "error", error: error("not-found") }), sight(gone), "agree"],
  ["never had any objects", pod({ status: "created", namespaceUid: null }), sight(gone), "agree"],
  ["is on its way out by somebody else", pod(), sight({ namespace: "going" }), "error namespace-stuck namespace-stuck 20 s"],
  ["has failed", pod(), sight({ verdict: failedAs("crash-loop") }), "error crash-loop crash-loop 3 s"],
  ["has failed, which takes time to be sure", pod(), sight({ verdict: failedAs("evicted", 5_000) }), "error evicted evicted 5 s"],
  ["is on a lost node", pod(), sight({ verdict: failedAs("node-lost") }), "error node-lost node-lost 3 s"],
  [
    "has failed in the same way before",
    pod({ status: "error", error: error("evicted") }),
    sight({ verdict: failedAs("evicted") }),
    "agree",
  ],
  ["was evicted and replaced", pod(), sight({ ended: new Map([["a", evicted]]) }, { podUid: "b" }), "running - evicted 0 s"],
  ["was deleted by hand and replaced", pod(), sight({}, { podUid: "b" }), "running - pod-replaced 0 s"],
  [
    "was started again in place",
    pod(),
    sight({ verdict: { kind: "running", holdMs: 10_000 }, lastEnd: { code: "oom-killed", message: "m" } }, { startedAt: new Date(2_000) }),
    "running - oom-killed 10 s",
  ],
  ["runs again", pod({ status: "error", error: error("evicted"), podUid: null }), sight({}, { podUid: "b" }), "running - evicted 0 s"],
  ["is being started anew", pod(), sight({ verdict: { kind: "starting" } }), "error start-timeout start-timeout 15 s"],
  ["is being started, and is no more than created", pod({ status: "created" }), sight({ verdict: { kind: "starting" } }), "agree"],
  ["fails, and is tried again", pod({ status: "error", error: error("evicted") }), sight({ verdict: { kind: "starting" } }), "agree"],
  ["was scaled to 0", pod(), sight({ verdict: { kind: "stopped" }, replicas: 0 }), "stopped - changed-outside 0 s"],
  ["is stopped as recorded", pod({ status: "stopped" }), sight({ verdict: { kind: "stopped" }, replicas: 0 }), "agree"],
  ["was scaled up from 0", pod({ status: "stopped" }), sight(), "running - changed-outside 0 s"],
  ["was scaled to 3", pod(), sight({ replicas: 3 }), "running - changed-outside replicas 0 s"],
  ["has another image", pod(), sight({}, { marks: { image: "9", env: "2", later: "3" } }), "running - changed-outside image 0 s"],
  [
    "has another image, for which it was replaced",
    pod(),
    sight({}, { podUid: "b", marks: { image: "9", env: "2" } }),
    "running - changed-outside image 0 s",
  ],
  ["has another image, which is on record", pod({ drifted: ["image"] }), sight({}, { marks: { image: "9", env: "2" } }), "agree"],
  ["has its image again", pod({ drifted: ["image"] }), sight(), "running - - 0 s"],
  ["is of before marks were kept", pod({ marks: null, drifted: undefined as never }), sight({}, { marks: { image: "9" } }), "agree"],
  ["is deleted", pod({ status: "deleted" }), sight(), "agree"],
  [
    "is being deleted",
    pod({ status: "deleting", deleteBegun: true }),
    sight({ namespace: "going" }),
    "error namespace-stuck namespace-stuck 20 s",
  ],
  ["is gone at last", pod({ status: "error", deleteBegun: true, error: error("namespace-stuck") }), sight(gone), "gone"],
  ["still does not go", pod({ status: "error", deleteBegun: true }), sight({ namespace: "going" }), "agree"],
])("a pod that %s", (_, record, seen, becomes) => {
  expect(short(decide(record, seen))).toBe(becomes);
});

it("a namespace that is stuck says by what", () => {
  const decision = decide(pod(), sight({ namespace: "going", held: "NamespaceContentRemaining: configmaps" }));
  expect(decision).toMatchObject({ error: { message: expect.stringContaining("does not go: NamespaceContentRemaining: configmaps") } });
});

it("other words for the same are no other decision", () => {
  const [a, b] = ["one", "two"].map((message) => decide(pod(), sight({ verdict: { ...failedAs("crash-loop"), message } })));
  expect(keyOf(a!)).toBe(keyOf(b!));
  expect(keyOf(a!)).not.toBe(keyOf(decide(pod(), sight({ verdict: failedAs("evicted") }))));
});
