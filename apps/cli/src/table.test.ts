import { describe, expect, it } from "vitest";
import { table } from "./table.ts";

const head = ["POD", "STATUS", "IMAGE"];
const rows = [
  ["project/p1", "running", "registry.example/team/workspace-full:2026-11"],
  ["project/a-long-name-of-a-project", "error (image-not-found)", "x"],
];

describe("a table", () => {
  it("is as wide as it needs to be where there is no terminal", () => {
    const [first, second] = table(head, rows).split("\n");
    expect(first).toBe(`POD${" ".repeat(31)}STATUS${" ".repeat(19)}IMAGE`);
    expect(second).toContain("registry.example/team/workspace-full:2026-11");
  });

  it.for([120, 80, 60, 48])(
    "fits a terminal of %d columns, and cuts the widest column first, but not the one that names the row",
    (columns) => {
      const lines = table(head, rows, columns).trimEnd().split("\n");
      expect(Math.max(...lines.map(({ length }) => length))).toBeLessThanOrEqual(columns);
      expect(lines[0]).toMatch(/^POD +STATUS +IMAGE$/);
    },
  );

  it("leaves something to read of every column on the narrowest terminal", () => {
    expect(table(head, rows, 1).split("\n")[2]).toBe("project/a-long-name-of-a-project  error…  x");
  });

  it("without rows is its head", () => {
    expect(table(["A", "B"], [])).toBe("A  B\n");
  });
});
