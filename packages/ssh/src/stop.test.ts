import { getEventListeners } from "node:events";
import { describe, expect, it } from "vitest";
import { Stop } from "./stop.ts";

describe("a stop", () => {
  it("keeps its first cause", async () => {
    const abort = new AbortController();
    const stop = new Stop({ timeoutMs: 5, signal: abort.signal });
    expect(await stop.happened).toMatchObject({ kind: "timeout" });
    abort.abort();
    stop.because({ kind: "closed", message: "too late" });
    expect(stop.cause).toMatchObject({ kind: "timeout", message: "not done within 5 ms" });
  });

  it("carries the reason of the caller's signal, also of one that was aborted before", () => {
    const reason = new Error("no longer needed");
    expect(new Stop({ signal: AbortSignal.abort(reason) }).cause).toEqual({
      kind: "aborted",
      message: "aborted by the caller",
      cause: reason,
    });
  });

  it("counts a deadline that has passed though its timer could not fire yet", () => {
    const stop = new Stop({ timeoutMs: 2 });
    const until = performance.now() + 4;
    while (performance.now() < until);
    expect(stop.cause).toMatchObject({ kind: "timeout" });
  });

  it("does not take a deadline beyond the longest timer for one that is over", async () => {
    const stop = new Stop({ timeoutMs: 2 ** 33 });
    expect(await stop.race(new Promise((resolve) => setTimeout(resolve, 20, "work")))).toBe("work");
    stop.dispose();
  });

  it("lets go of the signal when the work is done", () => {
    const { signal } = new AbortController();
    const stop = new Stop({ timeoutMs: 1000, signal });
    expect(getEventListeners(signal, "abort")).toHaveLength(1);
    stop.dispose();
    expect(getEventListeners(signal, "abort")).toHaveLength(0);
  });
});
