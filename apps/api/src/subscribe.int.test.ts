import { once } from "node:events";
import { connect as dial, createServer, type AddressInfo, type Socket } from "node:net";
import { connect, type JobStatus } from "@podq/client";
import { openContext } from "@podq/client/handles";
import { expect, it, onTestFinished } from "vitest";
import { openScene } from "./testing.ts";

/** A way to the API whose connections can be cut. */
async function startRelay(url: string): Promise<{ url: string; cut: (share: number) => number }> {
  const { hostname, port } = new URL(url);
  const open = new Set<Socket>();
  const relay = createServer((near) => {
    const far = dial(Number(port), hostname);
    open.add(near);
    near.pipe(far).pipe(near);
    const end = (): void => {
      open.delete(near);
      near.destroy();
      far.destroy();
    };
    for (const socket of [near, far]) socket.on("error", end).once("close", end);
  });
  relay.listen(0, "127.0.0.1");
  await once(relay, "listening");
  const cut = (share: number): number => {
    const chosen = [...open].filter(() => Math.random() < share);
    for (const socket of chosen) socket.destroy();
    return chosen.length;
  };
  onTestFinished(() => {
    relay.close();
    cut(1);
  });
  return { url: `http://127.0.0.1:${(relay.address() as AddressInfo).port}`, cut };
}

it("subscribers whose connections are cut again and again hear of each job's end exactly once, and of every state at most once", async () => {
  await using scene = await openScene({ PODQ_API_RATE: "100000" });
  const relay = await startRelay(scene.url);
  await using direct = await connect(scene.databases);
  await using podq = await connect({ url: relay.url });
  const worker = await openContext(scene.databases);
  onTestFinished(worker.close);

  const ids = await Promise.all(Array.from({ length: 60 }, async (_, n) => (await direct.pod({ project: `p${n}` }).exec("x")).id));
  const heard = new Map<string, JobStatus[]>(ids.map((id) => [id, []]));
  const subscriptions = ids.map((id) => podq.job(id).subscribe((status) => heard.get(id)!.push(status)));
  await expect.poll(() => [...heard.values()].every((told) => told.length === 1), { timeout: 20_000 }).toBe(true);

  let cuts = 0;
  for (const id of ids) {
    cuts += relay.cut(0.1);
    await scene.finish(id, 0, "");
    void worker.line.nudge(id, true);
  }
  await Promise.all(subscriptions.map(async ({ done }) => done));
  expect(cuts).toBeGreaterThan(20);
  for (const told of heard.values()) {
    expect(told.filter(({ state }) => state === "succeeded")).toHaveLength(1);
    expect(told.at(-1)!.state).toBe("succeeded");
    const versions = told.map(({ version }) => version);
    expect(versions).toEqual([...new Set(versions)].toSorted((a, b) => a - b));
  }
});
