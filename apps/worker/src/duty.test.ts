import { pino } from "pino";
import { expect, it } from "vitest";
import { startDuty } from "./duty.ts";

const options = { duty: "d", leases: { take: async () => true }, worker: "w", everyMs: 1, log: pino({ level: "silent" }) };

it("a duty that is stopped tells its work so, and waits for it to end", async () => {
  const begun = Promise.withResolvers<void>();
  let ended = false;
  const duty = startDuty(options, async (stop) => {
    begun.resolve();
    await new Promise((resolve) => stop.addEventListener("abort", resolve, { once: true }));
    ended = true;
  });
  await begun.promise;
  await duty.stop();
  expect(ended).toBe(true);
});

it("a duty whose work hangs is not waited for without end", async () => {
  const begun = Promise.withResolvers<void>();
  const duty = startDuty(options, async () => {
    begun.resolve();
    await new Promise(() => undefined);
  });
  await begun.promise;
  await expect(duty.stop()).resolves.toBeUndefined();
});
