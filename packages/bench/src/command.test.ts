import { describe, expect, it } from "vitest";
import { parseCommand } from "./command.ts";

describe("the command line of a bench", () => {
  it.each([
    [["exec"], { what: "exec", cluster: "embedded", quick: false }],
    [["exec", "--cluster", "real"], { what: "exec", cluster: "real", quick: false }],
    [["backlog"], { what: "backlog", cluster: "embedded", quick: false }],
    [["reconcile", "--quick"], { what: "reconcile", cluster: "embedded", quick: true }],
    [["--quick", "queue"], { what: "queue", cluster: "embedded", quick: true }],
  ])("reads %j", (argv, expected) => {
    expect(parseCommand(argv)).toEqual(expected);
  });

  it.each([[[]], [["exec", "queue"]], [["exce"]], [["exec", "--cluster", "prod"]], [["exec", "--fast"]]])(
    "refuses %j and shows how it is called",
    (argv) => {
      expect(() => parseCommand(argv)).toThrow(/usage: bench exec\|files/);
    },
  );
});
