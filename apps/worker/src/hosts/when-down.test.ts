import { expect, it } from "vitest";
import { ended, type Outcome } from "../outcome.ts";
import { whenDown } from "./when-down.ts";

const away = { code: "host-unreachable" as const, message: "away" };
const retry: Outcome = { kind: "retry", delayMs: 7, error: away };
const lookedAfter: Outcome = { ...retry, looksAfter: true };
const failed = ended("failed", away);
const lost = ended("lost", { code: "outcome-unknown", message: "?" });
const other: Outcome = { kind: "retry", delayMs: 7, error: { code: "unavailable", message: "?" } };
const clusterAway: Outcome = { kind: "retry", delayMs: 7, error: { code: "cluster-unreachable", message: "?" } };
const succeeded: Outcome = { kind: "end", state: "succeeded", result: null, error: null, why: "" };

const told = (outcome: Outcome): string =>
  outcome.kind === "retry" ? `retry${outcome.uncounted ? ", uncounted" : ""}` : outcome.kind === "end" ? outcome.state : outcome.kind;

it.each<[Parameters<typeof whenDown>[0], string, Outcome, number, string]>([
  [null, "is to be tried again", retry, 60_000, "retry"],
  [null, "has no attempts left", failed, 60_000, "failed"],
  ["wait", "is to be tried again", retry, 60_000, "retry, uncounted"],
  ["wait", "has no attempts left", failed, 60_000, "retry, uncounted"],
  ["wait", "is past its deadline", retry, -1, "failed"],
  ["wait", "may be running", lookedAfter, 60_000, "retry, uncounted"],
  ["wait", "may be running, past its deadline", lookedAfter, -1, "retry, uncounted"],
  ["wait", "cannot be known any more", lost, 60_000, "lost"],
  ["fail", "is to be tried again", retry, 60_000, "failed"],
  ["fail", "may be running", lookedAfter, 60_000, "retry"],
  ["fail", "met a cluster that is away", clusterAway, 60_000, "failed"],
  ["wait", "met a cluster that is away", clusterAway, 60_000, "retry, uncounted"],
  ["fail", "met something else", other, 60_000, "retry"],
  ["wait", "met something else", other, 60_000, "retry"],
  ["fail", "is done", succeeded, 60_000, "succeeded"],
])("where hosts that are down mean %s, a job that %s: %#", (policy, _what, outcome, leftMs, expected) => {
  expect(told(whenDown(policy, outcome, { attempt: 1, deadlineAt: new Date(Date.now() + leftMs) }))).toBe(expected);
});
