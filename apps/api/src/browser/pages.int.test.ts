import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import { noBrowser, openShow, type Show } from "./testing.ts";

let show: Show;
beforeAll(async () => {
  if (noBrowser === null) show = await openShow();
});
afterAll(async () => show?.[Symbol.asyncDispose]());
beforeEach((test) => test.skip(noBrowser !== null, noBrowser ?? ""));

const colourful = [
  "\u001b[1m$ make test\u001b[0m",
  "\u001b[32m✓\u001b[0m parses the manifest \u001b[2m(12 ms)\u001b[0m",
  "\u001b[33m!\u001b[0m one test is slow: \u001b[4mnames.test.ts\u001b[0m",
  "\u001b[31m✗\u001b[0m deletes what is left \u001b[41;97m FAIL \u001b[0m",
  "\u001b[38;5;208m208 of 256\u001b[0m \u001b[38;2;120;200;255mand of 16 million\u001b[0m \u001b[34mblue\u001b[0m \u001b[36mcyan\u001b[0m\n",
].join("\n");

it("the pages show pods, a pod and its jobs, and a job's output while it comes, on a screen and on a phone", async () => {
  const { scene, token } = show;
  await show.pod({ project: "checkout" }, { status: "running", url: "http://10.20.0.4:31080", labels: { team: "blue", tier: "web" } });
  await show.pod({ project: "checkout" }, { name: "gpu", status: "error", image: "localhost/cuda:13", labels: { team: "blue" } });
  await show.pod({ conversation: "c-2291" }, { status: "running", url: "http://10.20.0.4:31144" });
  await show.pod({ project: "search" }, { labels: { team: "green" } });
  const [done, live] = [await show.exec("checkout", { labels: { by: "ci" } }), await show.exec("checkout")];
  const first = await show.run(done);
  await first.write("stdout", "ok\n");
  await first.end(0);
  await show.exec("checkout");
  const working = await show.run(live);
  for (const [size, options] of [
    ["wide", { viewport: { width: 1280, height: 800 }, colorScheme: "light" }],
    ["narrow", { viewport: { width: 390, height: 844 }, colorScheme: "dark" }],
  ] as const) {
    const { page, wrong } = await show.open(options);
    const fits = async (): Promise<unknown> => page.evaluate("document.documentElement.scrollWidth <= window.innerWidth");
    await page.goto(`${scene.url}/ui`);
    await page.getByRole("button", { name: "Sign in" }).waitFor();
    await show.picture(page, `login-${size}`);
    await show.signIn(page, "/ui");
    await page.getByRole("link", { name: "project/checkout", exact: true }).waitFor();
    expect(await page.getByRole("link", { name: "10.20.0.4:31080" }).getAttribute("href")).toBe("http://10.20.0.4:31080");
    expect(await fits()).toBe(true);
    await show.picture(page, `pods-${size}`);
    await page.getByRole("link", { name: "project/checkout/gpu" }).click();
    await page.getByText("no such image").waitFor();
    await show.picture(page, `pod-error-${size}`);
    await page.goto(`${scene.url}/ui/pods/project/checkout/default`);
    await page.getByText("succeeded").waitFor();
    expect(await fits()).toBe(true);
    await show.picture(page, `pod-${size}`);
    await page.getByRole("link", { name: live.slice(0, 8) }).click();
    await page.getByText("live", { exact: true }).waitFor();
    if (size === "wide") {
      await working.write("stdout", colourful.slice(0, 60)); // cut where a colour is said
      await page.getByText("parses the manifest").waitFor();
      await working.write("stdout", colourful.slice(60));
      await working.write("stderr", "warning: 1 of 4 failed\n");
    }
    await page.getByText("warning: 1 of 4 failed").waitFor();
    expect(await fits()).toBe(true);
    await show.picture(page, `job-${size}`);
    await page.goto(`${scene.url}/ui/jobs`);
    await page.getByRole("link", { name: done.slice(0, 8) }).waitFor();
    expect(await fits()).toBe(true);
    await show.picture(page, `jobs-${size}`);
    await page.goto(`${scene.url}/ui/pods/project/nobody/default`);
    await page.getByText("There is no record of this pod").waitFor();
    await show.picture(page, `empty-${size}`);
    expect(wrong.splice(0)).toEqual([expect.stringContaining("404")]); // a browser says so of each
    await page.goto(`${scene.url}/admin/queues/queue/podq`);
    expect(await page.getByRole("link", { name: "Output" }).first().getAttribute("href")).toMatch(/^\/ui\/jobs\/[\w-]+$/);
    await show.picture(page, `queue-${size}`, false);
    await page.goto(`${scene.url}/docs`);
    await page.getByText("/v1/pods/{owner}/{id}/exec").first().waitFor();
    expect(wrong).toEqual([]);
  }
  const { page, wrong } = await show.open();
  await show.signIn(page, `/ui/jobs/${live}`, token);
  await page.getByText("live", { exact: true }).waitFor();
  expect(await page.locator(".line").first().locator("span.ansi-bold").textContent()).toBe("$ make test");
  expect(await page.getByText("208 of 256").getAttribute("style")).toBe("color: rgb(255, 135, 0);");
  await working.end(2);
  await page.getByText("complete", { exact: true }).waitFor();
  await page.getByRole("status").getByText("succeeded").waitFor();
  expect(await page.getByRole("definition").getByText("2", { exact: true }).count()).toBe(1);
  expect(wrong).toEqual([]);
}, 180_000);

it("pods are found by owner, status and label, and a list that is empty says so", async () => {
  await show.pod({ project: "found" }, { status: "running", labels: { team: "red" } });
  const { page, wrong } = await show.open();
  await show.signIn(page, "/ui");
  await page.getByLabel("Label").fill("team=red");
  await page.getByLabel("Status").selectOption("running");
  await page.getByRole("button", { name: "Filter" }).click();
  await page.waitForURL(/label=team%3Dred/);
  await page.getByText("1 found").waitFor();
  expect(await page.getByRole("row").count()).toBe(2);
  expect([await page.getByLabel("Label").inputValue(), await page.getByLabel("Status").inputValue()]).toEqual(["team=red", "running"]);
  await page.goto(`${show.scene.url}/ui?owner=project/none&host=`);
  await page.getByText("No pod is like that").waitFor();
  await page.goto(`${show.scene.url}/ui/jobs?owner=project/found`);
  await page.getByText("No job is like that").waitFor();
  expect(wrong).toEqual([]);
}, 60_000);

it("of an output only the end is shown where there is much of it, and lines that are written again are one", async () => {
  const id = await show.exec("much");
  const running = await show.run(id);
  for (let n = 0; n < 20; n += 1)
    await running.write("stdout", Array.from({ length: 1_000 }, (_, at) => `line ${n * 1_000 + at}\n`).join(""));
  await running.write("stderr", "10 %\r55 %\r");
  await running.write("stderr", "100 %\n");
  const { page, wrong } = await show.open();
  await show.signIn(page, `/ui/jobs/${id}`);
  await page.getByText("100 %", { exact: true }).waitFor();
  await page.getByText("Only the last lines are shown").waitFor();
  expect(await page.locator(".line").count()).toBe(5_000);
  expect(await page.locator(".line").nth(4_998).textContent()).toBe("line 19999");
  expect(await page.getByText("55 %").count()).toBe(0);
  const download = page.waitForEvent("download");
  await page.getByRole("link", { name: "Download stdout" }).click();
  expect((await download).suggestedFilename()).toBe(`${id}.stdout`);
  expect(wrong).toEqual([]);
}, 120_000);

it("an output goes on where it was cut off, and holds no connection while nobody looks", async () => {
  const id = await show.exec("cut");
  const running = await show.run(id);
  await running.write("stdout", "one\n");
  await using relay = await openRelay(show.scene.url);
  const { page } = await show.open();
  await show.signIn(page, `/ui/jobs/${id}`, show.token, relay.url);
  const lines = page.locator(".line");
  await page.getByText("one", { exact: true }).waitFor();
  const given = page.waitForEvent("requestfailed", (request) => request.url().includes("/output"));
  await look(page, false);
  await given;
  await running.write("stdout", "two\n");
  await look(page, true);
  await page.getByText("two", { exact: true }).waitFor();
  relay.pass(false);
  await page.getByText("cut off; trying again").waitFor();
  await running.write("stderr", "three\n");
  relay.pass(true);
  await page.getByText("three", { exact: true }).waitFor();
  await running.end(0);
  await page.getByText("complete", { exact: true }).waitFor();
  expect(await lines.allTextContents()).toEqual(["one", "two", "three"]);
}, 90_000);

/** A way to the API that can be cut. */
async function openRelay(to: string): Promise<AsyncDisposable & { url: string; pass: (open: boolean) => void }> {
  const sockets = new Set<Socket>();
  let isOpen = true;
  const server = createServer((socket) => {
    sockets.add(socket.on("error", () => undefined));
    if (!isOpen) {
      socket.destroy();
      return;
    }
    const behind = connect(Number(new URL(to).port), "127.0.0.1");
    sockets.add(behind.on("error", () => socket.destroy()));
    socket.pipe(behind).pipe(socket);
  });
  const cut = (): void => sockets.forEach((socket) => socket.destroy());
  await once(server.listen(0, "127.0.0.1"), "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    pass(open) {
      isOpen = open;
      if (!open) cut();
    },
    async [Symbol.asyncDispose]() {
      cut();
      await once(server.close(), "close");
    },
  };
}

/** Puts a page in front, or behind another, as far as it can know. */
async function look(page: Page, seen: boolean): Promise<void> {
  await page.evaluate(`Object.defineProperty(document, "hidden", { value: ${!seen}, configurable: true });
    document.dispatchEvent(new Event("visibilitychange"))`);
}
