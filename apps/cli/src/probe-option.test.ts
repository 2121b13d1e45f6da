import { describe, expect, it } from "vitest";
import { collectProbe } from "./probe-option.ts";

describe("--probe", () => {
  it.each([
    ["readiness=http:8080/healthz", { readiness: { http: { port: 8080, path: "/healthz" } } }],
    ["readiness=http:8080", { readiness: { http: { port: 8080 } } }],
    ["liveness=tcp:5432", { liveness: { tcp: { port: 5432 } } }],
    ["startup=exec:test -e /tmp/a=b", { startup: { exec: ["sh", "-c", "test -e /tmp/a=b"] } }],
    ['liveness={"tcp":{"port":1},"periodSeconds":5}', { liveness: { tcp: { port: 1 }, periodSeconds: 5 } }],
  ])("%s", (text, probes) => {
    expect(collectProbe(text)).toEqual(probes);
  });

  it("adds to those before it", () => {
    expect(collectProbe("liveness=tcp:1", collectProbe("readiness=tcp:2"))).toEqual({
      readiness: { tcp: { port: 2 } },
      liveness: { tcp: { port: 1 } },
    });
  });

  it.each([
    "http:8080",
    "ready=tcp:1",
    "readiness=",
    "readiness=tcp:x",
    "readiness=tcp:1/x",
    "readiness=exec:",
    "readiness={",
    "readiness=udp:1",
  ])("refuses %s", (text) => {
    expect(() => collectProbe(text)).toThrow(/is no/);
  });
});
