import { expect, it } from "vitest";
import type { Asked, Event } from "../work/told.ts";
import type { JobRecord } from "./history.ts";
import { specs } from "./spec.ts";

type Create = { asks: string; of?: string; from?: string; ifChanged?: "ignore" | "update" | "reject"; has?: string; generation?: number };

function jobOf({ asks, has, of, from, generation = 1 }: Create, n: number): JobRecord {
  const made = has === undefined ? null : { generation, image: has, template: of ?? null, differs: has === asks ? 0 : 1 };
  const end = has === undefined ? { state: "failed", error: { code: "conflict", message: "" } } : { state: "succeeded", error: null };
  return {
    id: `j${n}`,
    kind: "create",
    podKey: "p",
    endedAtMs: n,
    askedImage: asks,
    askedTemplate: from ?? null,
    made,
    ...end,
  } as JobRecord;
}

function eventsOf({ ifChanged }: Create, n: number): Event[] {
  const asked: Asked = { kind: "create", ...(ifChanged && { ifChanged }) };
  return [
    { event: "called", ref: `r${n}`, pod: "p", asked, key: null, atMs: n },
    { event: "accepted", ref: `r${n}`, jobId: `j${n}`, atMs: n },
  ];
}

it.each<[what: string, creates: Create[], wrong: RegExp]>([
  ["a pod that is what was asked", [{ asks: "a", has: "a" }], /^$/],
  [
    "one that was left as it was",
    [
      { asks: "a", has: "a" },
      { asks: "b", has: "a" },
    ],
    /^$/,
  ],
  [
    "one that was changed though nobody asked for that",
    [
      { asks: "a", has: "a" },
      { asks: "c", has: "b" },
    ],
    /it found a of generation 1/,
  ],
  [
    "one that was updated",
    [
      { asks: "a", has: "a" },
      { asks: "b", ifChanged: "update", has: "b" },
    ],
    /^$/,
  ],
  [
    "one that was not updated",
    [
      { asks: "a", has: "a" },
      { asks: "b", ifChanged: "update", has: "a" },
    ],
    /asked for b \(update\)/,
  ],
  [
    "one that was refused",
    [
      { asks: "a", has: "a" },
      { asks: "b", ifChanged: "reject" },
    ],
    /^$/,
  ],
  [
    "one that was refused without a reason",
    [
      { asks: "a", has: "a" },
      { asks: "a", ifChanged: "reject" },
    ],
    /it was refused/,
  ],
  [
    "one that was not refused",
    [
      { asks: "a", has: "a" },
      { asks: "b", ifChanged: "reject", has: "a" },
    ],
    /asked for b \(reject\)/,
  ],
  ["one that is of its template", [{ asks: "a", from: "t@1", has: "a", of: "t@1" }], /^$/],
  ["one that is of another template", [{ asks: "a", from: "t@2", has: "a", of: "t@1" }], /template t@2, succeeded/],
  [
    "a new one that is not what was asked",
    [
      { asks: "a", has: "a" },
      { asks: "b", has: "a", generation: 2 },
    ],
    /generation 2/,
  ],
])("judges %s", (_, creates, wrong) => {
  const history = { events: creates.flatMap(eventsOf), jobs: creates.map(jobOf), marks: [], left: [], epochMs: 0 };
  expect(
    specs(history)
      .map(({ message }) => message)
      .join("; "),
  ).toMatch(wrong);
});
