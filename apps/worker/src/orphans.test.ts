import { expect, it } from "vitest";
import { isOver } from "./orphans.ts";

it.each([
  ["no record: it may be adopted", 1, null, false],
  ["of an earlier generation", 1, { generation: 2, status: "running" }, true],
  ["of the one that is deleted", 2, { generation: 2, status: "deleted" }, true],
  ["of the one that runs", 2, { generation: 2, status: "running" }, false],
  ["of the one whose delete goes on", 2, { generation: 2, status: "deleting" }, false],
  ["of the one whose delete failed", 2, { generation: 2, status: "error" }, false],
  ["of one that the record does not know yet", 3, { generation: 2, status: "deleted" }, false],
] as const)("a namespace %s", (_, generation, record, over) => {
  expect(isOver({ generation }, record)).toBe(over);
});
