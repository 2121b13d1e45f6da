// The pages in a real browser, where there is one: Debian's chromium, or what PODQ_CHROMIUM names.
import { accessSync, constants } from "node:fs";
import { join } from "node:path";
import type { Owner } from "@podq/jobs";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { openScene, type Scene } from "../testing.ts";

const executablePath = process.env.PODQ_CHROMIUM ?? "/usr/bin/chromium";
/** Where pictures of the pages are put, to be looked at; nowhere if it is unset. */
const pictures = process.env.PODQ_SCREENSHOTS;
const sizes = { wide: { width: 1280, height: 800 }, narrow: { width: 390, height: 844 } } as const;

let scene: Scene;
let browser: Browser;
let token = "";

const isThere = ((): boolean => {
  try {
    accessSync(executablePath, constants.X_OK);
    return true;
  } catch {
    return false;
  }
})();

beforeAll(async () => {
  scene = await openScene({ PODQ_API_RATE: "1000000" });
  token = await scene.token("admin");
  if (!isThere) return;
  const { chromium } = await import("playwright-core");
  browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
});
afterAll(async () => {
  await browser?.close();
  await scene[Symbol.asyncDispose]();
});
beforeEach((test) => {
  test.skip(!isThere, `there is no chromium at ${executablePath}; apt-get install chromium, or name one in PODQ_CHROMIUM`);
});

type Look = { page: Page; wrong: string[] };

/** A new browser window; whatever goes wrong in it, or is loaded from elsewhere, is in `wrong`. */
async function look(size: keyof typeof sizes = "wide", colorScheme: "light" | "dark" = "light"): Promise<Look> {
  const context = await browser.newContext({ viewport: sizes[size], colorScheme });
  const page = await context.newPage();
  page.setDefaultTimeout(20_000);
  const wrong: string[] = [];
  page.on("console", (message) => message.type() === "error" && wrong.push(message.text()));
  page.on("pageerror", (error) => wrong.push(String(error)));
  page.on("request", (request) => !request.url().startsWith(scene.url) && !request.url().startsWith("data:") && wrong.push(request.url()));
  return { page, wrong };
}

async function signIn(page: Page, path: string, as = token): Promise<void> {
  await page.goto(`${scene.url}${path}`);
  await page.getByLabel("Token").fill(as);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.waitForURL(`${scene.url}${path}`);
}

async function picture(page: Page, name: string): Promise<void> {
  if (pictures !== undefined) await page.screenshot({ path: join(pictures, `${name}.png`), fullPage: true });
}

type Seed = {
  owner: Owner;
  name?: string;
  status?: "running" | "error";
  labels?: Record<string, string>;
  image?: string;
  url?: string;
  message?: string;
};

async function addPod({
  owner,
  name = "default",
  status,
  labels = {},
  image = "localhost/workspace:1",
  url,
  message,
}: Seed): Promise<void> {
  const [kind, id] = owner.project === undefined ? (["conversation", owner.conversation] as const) : (["project", owner.project] as const);
  const key = `${kind}/${id}/${name}`;
  const namespace = `podq-${id.slice(0, 12).toLowerCase()}-${name}-4f2a91c7-1`;
  const identity = { installation: "podq", kind, id, name, generation: 1, hash: "4f2a91c7", namespace, deployment: "d", service: "s" };
  const resources = { memory: "1Gi", cpu: "1", memoryRequests: "256Mi", cpuRequests: "100m" };
  const host = { name: "k8s-1.example.org", address: "10.20.0.4", port: 22, username: "podq" };
  const pod = await scene.store.pods.insert(key, { owner, name, generation: 1, namespace, identity, image, resources, labels, host });
  const service = { nodePort: 31_080, accessUrl: url ?? null, ports: [{ name: "http", port: 8080, nodePort: 31_080 }] };
  const now = new Date();
  if (status === "running") await scene.store.pods.patch(pod!, { status, service, startedAt: now, podName: "p-1" });
  if (status === "error")
    await scene.store.pods.patch(pod!, {
      status,
      error: { code: "image-not-found", message: message ?? "the registry has no such image", at: now },
    });
}

async function exec(project: string, body: object = {}): Promise<string> {
  const answer = await scene.ask("POST", `/v1/pods/project/${project}/exec`, { token, body: { command: "make", ...body } });
  return String(answer.body.id);
}

/** Runs a job as a worker does: what it writes, and its end, is for the caller to say. */
async function run(
  id: string,
): Promise<{ write: (stream: "stdout" | "stderr", text: string) => Promise<void>; end: (exitCode: number) => Promise<void> }> {
  const claim = await scene.store.jobs.claim((await scene.store.jobs.get(id))!, "worker-1", 600_000, null);
  const at = { stdout: 0, stderr: 0 };
  const startedAt = new Date();
  return {
    async write(stream, text) {
      const data = Buffer.from(text);
      await scene.store.output.append(id, 1, [{ stream, offset: at[stream], data }]);
      at[stream] += data.byteLength;
    },
    async end(exitCode) {
      const known = { signal: null, stdoutBytes: at.stdout, stderrBytes: at.stderr, atLeast: false, truncated: false, leftRunning: 0 };
      const result = { exitCode, ...known, unverified: false, startedAt, endedAt: new Date(), attached: 0, weaker: [] };
      await scene.store.jobs.end({ id, attempt: claim!.attempt }, { state: "succeeded", result, error: null, why: "done" });
    },
  };
}

const colourful = [
  "\u001b[1m$ make test\u001b[0m\n",
  "\u001b[32m✓\u001b[0m parses the manifest \u001b[2m(12 ms)\u001b[0m\n",
  "\u001b[32m✓\u001b[0m waits for the pod \u001b[2m(1.4 s)\u001b[0m\n",
  "\u001b[33m!\u001b[0m one test is slow: \u001b[4mnames.test.ts\u001b[0m\n",
  "\u001b[31m✗\u001b[0m deletes what is left \u001b[41;97m FAIL \u001b[0m\n",
  "\u001b[38;5;208m208 of 256\u001b[0m \u001b[38;2;120;200;255mand of 16 million\u001b[0m \u001b[34mblue\u001b[0m \u001b[35mmagenta\u001b[0m \u001b[36mcyan\u001b[0m \u001b[90mgrey\u001b[0m\n",
].join("");

describe("the pages", () => {
  it("show pods, a pod and its jobs, and a job's output while it comes, with colours", async () => {
    await addPod({
      owner: { project: "checkout" },
      status: "running",
      url: "http://10.20.0.4:31080",
      labels: { team: "blue", tier: "web" },
    });
    await addPod({ owner: { project: "checkout" }, name: "gpu", status: "error", image: "localhost/cuda:13", labels: { team: "blue" } });
    await addPod({ owner: { conversation: "c-2291" }, status: "running", url: "http://10.20.0.4:31144" });
    await addPod({ owner: { project: "search" }, labels: { team: "green" } });
    const [done, live] = [await exec("checkout", { labels: { by: "ci" } }), await exec("checkout")];
    const first = await run(done);
    await first.write("stdout", "ok\n");
    await first.end(0);
    await exec("checkout");
    const working = await run(live);
    for (const size of ["wide", "narrow"] as const) {
      const { page, wrong } = await look(size, size === "wide" ? "light" : "dark");
      await page.goto(`${scene.url}/ui`);
      await page.getByRole("button", { name: "Sign in" }).waitFor();
      await picture(page, `login-${size}`);
      await signIn(page, "/ui");
      await page.getByRole("link", { name: "project/checkout", exact: true }).waitFor();
      expect(await page.getByRole("row").count()).toBeGreaterThanOrEqual(4);
      expect(await page.getByRole("link", { name: "10.20.0.4:31080" }).getAttribute("href")).toBe("http://10.20.0.4:31080");
      await picture(page, `pods-${size}`);
      await page.getByRole("link", { name: "project/checkout", exact: true }).click();
      await page.getByText("succeeded").waitFor();
      await picture(page, `pod-${size}`);
      await page.getByRole("link", { name: live.slice(0, 8) }).click();
      await page.getByText("live", { exact: true }).waitFor();
      if (size === "wide") {
        await working.write("stdout", colourful.slice(0, 60));
        await page.getByText("parses the manifest").waitFor();
        await working.write("stdout", colourful.slice(60));
        await working.write("stderr", "warning: 1 of 4 failed\n");
      }
      await page.getByText("warning: 1 of 4 failed").waitFor();
      await picture(page, `job-${size}`);
      await page.goto(`${scene.url}/ui/jobs`);
      await page.getByRole("link", { name: done.slice(0, 8) }).waitFor();
      await picture(page, `jobs-${size}`);
      await page.goto(`${scene.url}/admin/queues/queue/podq`);
      await page.getByText("Output").first().waitFor();
      await picture(page, `queue-${size}`);
      expect(await page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")).toBe(true);
      expect(wrong).toEqual([]);
    }
    const { page, wrong } = await look();
    await signIn(page, `/ui/jobs/${live}`);
    await page.getByText("live", { exact: true }).waitFor();
    expect(await page.locator(".line").first().locator("span.ansi-bold").textContent()).toBe("$ make test");
    expect(await page.getByText("208 of 256").getAttribute("style")).toBe("color: rgb(255, 135, 0);");
    await working.end(2);
    await page.getByText("complete", { exact: true }).waitFor();
    await page.getByRole("status").getByText("succeeded").waitFor();
    expect(await page.getByRole("definition").getByText("2", { exact: true }).count()).toBe(1);
    expect(wrong).toEqual([]);
  }, 120_000);
});
