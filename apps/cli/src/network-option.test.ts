import { describe, expect, it } from "vitest";
import { collectAllowed, networkOf } from "./network-option.ts";

describe("--allow", () => {
  it.each([
    ["10.0.0.0/8", { cidr: "10.0.0.0/8" }],
    ["10.0.0.0/8:443", { cidr: "10.0.0.0/8", ports: [443] }],
    ["192.168.1.7:80,443", { cidr: "192.168.1.7", ports: [80, 443] }],
    ["fd00::/8:443", { cidr: "fd00::/8", ports: [443] }],
    ["fd00::1", { cidr: "fd00::1" }],
    ["pod:db", { pod: "db" }],
    ["pod:db:5432", { pod: "db", ports: [5432] }],
  ])("%s", (text, entry) => {
    expect(collectAllowed(text, [])).toEqual([entry]);
  });

  it.each(["example.com", "10.0.0.0/8:", "10.0.0.0/8:http", "pod:", "*"])("refuses %s", (text) => {
    expect(() => collectAllowed(text)).toThrow(/is not CIDR/);
  });
});

describe("the options of a pod's network", () => {
  it.each([
    [{ internet: true }, undefined],
    [{ network: "none" as const, internet: true }, "none"],
    [{ network: "default" as const }, "default"],
    [{ allow: [{ pod: "db" }] }, { allow: [{ pod: "db" }] }],
    [{ internet: false }, { allow: [], internet: false }],
  ])("%j", (options, network) => {
    expect(networkOf(options)).toEqual(network);
  });

  it("are one or the other", () => {
    expect(() => networkOf({ network: "none", allow: [] })).toThrow(/--network none/);
  });
});
