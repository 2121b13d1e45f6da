import type { JobStatus, PodRecord } from "@podq/client";
import { expect, it } from "vitest";
import { failureOf } from "./context.ts";
import { jobLines, json, podLines } from "./output.ts";
import { table } from "./table.ts";

// It would empty the screen, name the window, and write over what stands there, by either kind of control codes.
const hostile = "a\u001b[2J\u001b]0;b\u0007\r\u009b31m\nstate succeeded\u202e";
const harmless = "a [2J ]0;b   31m state succeeded ";
const owner = { project: "p" };

const job = {
  id: "1",
  kind: "exec",
  owner,
  name: "default",
  state: "failed",
  position: null,
  attempts: [],
  error: {
    code: "command-failed",
    message: hostile,
  },
  createdAt: new Date(0),
  endedAt: null,
  callback: {
    state: "pending",
    url: `https://h.example/${hostile}`,
    log: [
      {
        n: 1,
        at: new Date(0),
        endedAt: null,
        status: null,
        error: hostile,
      },
    ],
  },
} as unknown as JobStatus;
const pod = {
  owner,
  name: "default",
  status: "error",
  error: {
    code: "image-not-found",
    message: hostile,
  },
  image: hostile,
  namespace: "n",
  podName: null,
  service: { accessUrl: null, ports: [] },
  updated: [],
  differs: [],
  template: null,
  restarts: null,
  networkEnforced: null,
} as unknown as PodRecord;

it.each([
  ["a job", jobLines(job)],
  ["a pod", podLines(pod)],
  ["a table", table(["LABEL", "ID"], [[hostile, "1"]])],
  ["a failure", failureOf(new Error(hostile), false).line],
])("what others wrote changes nothing of a terminal that shows %s", (_what, text) => {
  expect(text.replaceAll("\n", "")).not.toMatch(/[\p{Cc}\u202a-\u202e\u2066-\u2069]/u);
  expect(text).not.toMatch(/^state succeeded/m);
});

it("of what others wrote only the control codes are left out, and columns stay where they are", () => {
  expect(podLines(pod)).toContain(`image       ${harmless}\n`);
  expect(table(["LABEL", "ID"], [[hostile, "1"]])).toBe(`LABEL${" ".repeat(harmless.length - 5)}  ID\n${harmless}  1\n`);
  expect(podLines({ ...pod, image: "größe 端" })).toContain("größe 端");
});

it("JSON is the same as it is, escaped", () => expect(JSON.parse(json({ hostile }))).toEqual({ hostile }));
