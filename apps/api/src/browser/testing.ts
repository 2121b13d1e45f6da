// What the tests of the pages share: a real browser, where there is one, and records for it to show.
import { accessSync, constants } from "node:fs";
import { join } from "node:path";
import { ownerParts, podKey, type Owner } from "@podq/jobs";
import type { BrowserContextOptions, Page } from "playwright-core";
import { openScene, type Scene } from "../testing.ts";

const executablePath = process.env.PODQ_CHROMIUM || "/usr/bin/chromium"; // where Debian has it
/** Where pictures of the pages are put, for people to look at; nowhere if it is unset. */
const pictures = process.env.PODQ_SCREENSHOTS;

/** Why there is no browser here; null if there is one. */
export const noBrowser = ((): string | null => {
  try {
    accessSync(executablePath, constants.X_OK);
    return null;
  } catch {
    return `there is no chromium at ${executablePath}; apt-get install chromium, or name one in PODQ_CHROMIUM`;
  }
})();

/** A window, and what went wrong in it: errors of the page and of its policy, and whatever it asked for elsewhere. */
type Window = { page: Page; wrong: string[] };

/** An API with records, and windows on it. */
export type Show = AsyncDisposable & {
  scene: Scene;
  /** An unbound token of scope admin. */
  token: string;
  open: (options?: BrowserContextOptions) => Promise<Window>;
  /** Signs in on the way to a page. */
  signIn: (page: Page, path: string, token?: string, url?: string) => Promise<void>;
  picture: (page: Page, name: string, fullPage?: boolean) => Promise<void>;
  pod: (owner: Owner, more?: PodSeed) => Promise<void>;
  exec: (project: string, body?: object) => Promise<string>;
  /** Runs a job as a worker does: what it writes, and its end, is for the caller to say. */
  run: (id: string) => Promise<Running>;
};

type PodSeed = {
  name?: string;
  status?: "running" | "error";
  labels?: Record<string, string>;
  image?: string;
  url?: string;
  error?: string;
};
type Running = { write: (stream: "stdout" | "stderr", text: string) => Promise<void>; end: (exitCode: number) => Promise<void> };

/** Starts both. Throws where there is no browser: ask {@link noBrowser} first. */
export async function openShow(): Promise<Show> {
  const { chromium } = await import("playwright-core");
  const scene = await openScene({ PODQ_API_RATE: "1000000" });
  const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] }); // tests may run as root
  const admin = await scene.token("admin");
  return {
    scene,
    token: admin,
    async open(options = {}) {
      const page = await (await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options })).newPage();
      page.setDefaultTimeout(30_000);
      const wrong: string[] = [];
      page.on("console", (message) => message.type() === "error" && wrong.push(message.text()));
      page.on("pageerror", (error) => wrong.push(String(error)));
      page.on("request", (request) => {
        if (!request.url().startsWith(scene.url) && !request.url().startsWith("data:")) wrong.push(request.url());
      });
      return { page, wrong };
    },
    async signIn(page, path, token = admin, url = scene.url) {
      await page.goto(`${url}${path}`);
      await page.getByLabel("Token").fill(token);
      await page.getByRole("button", { name: "Sign in" }).click();
      await page.waitForURL(`${url}${path}`);
    },
    async picture(page, name, fullPage = true) {
      if (pictures !== undefined) await page.screenshot({ path: join(pictures, `${name}.png`), fullPage });
    },
    async pod(owner, seed = {}) {
      await addPod(scene, owner, seed);
    },
    async exec(project, body = {}) {
      const answer = await scene.ask("POST", `/v1/pods/project/${project}/exec`, { token: admin, body: { command: "make", ...body } });
      return String(answer.body.id);
    },
    run: async (id) => runJob(scene, id),
    async [Symbol.asyncDispose]() {
      await browser.close();
      await scene[Symbol.asyncDispose]();
    },
  };
}

async function addPod({ store }: Scene, owner: Owner, seed: PodSeed): Promise<void> {
  const { name = "default", status, labels = {}, image = "localhost/workspace:1", url = null, error } = seed;
  const { kind, id } = ownerParts(owner);
  const namespace = `podq-${id.toLowerCase()}-${name}-4f2a91c7-1`;
  const identity = { installation: "podq", kind, id, name, generation: 1, hash: "4f2a91c7", namespace, deployment: "d", service: "s" };
  const resources = { memory: "1Gi", cpu: "1", memoryRequests: "256Mi", cpuRequests: "100m" };
  const host = { name: "k8s-1.example.org", address: "10.20.0.4", port: 22, username: "podq" };
  const made = { owner, name, generation: 1, namespace, identity, image, resources, labels, host };
  const pod = (await store.pods.insert(podKey(owner, name), made))!;
  const now = new Date();
  const service = {
    access: "nodePort" as const,
    nodePort: 31_080,
    accessUrl: url,
    ports: [{ name: "http", port: 8080, protocol: "TCP" as const, nodePort: 31_080, url }],
  };
  if (status === "running") await store.pods.patch(pod, { status, service, startedAt: now, podName: "p-1" });
  if (status === "error")
    await store.pods.patch(pod, { status, error: { code: "image-not-found", message: error ?? "no such image", at: now } });
}

async function runJob({ store }: Scene, id: string): Promise<Running> {
  const claim = await store.jobs.claim((await store.jobs.get(id))!, "worker-1", 600_000, null);
  const at = { stdout: 0, stderr: 0 };
  const startedAt = new Date();
  return {
    async write(stream, text) {
      const data = Buffer.from(text);
      await store.output.append(id, 1, [{ stream, offset: at[stream], data }]);
      at[stream] += data.byteLength;
    },
    async end(exitCode) {
      const known = { signal: null, stdoutBytes: at.stdout, stderrBytes: at.stderr, atLeast: false, truncated: false, leftRunning: 0 };
      const result = { exitCode, ...known, unverified: false, startedAt, endedAt: new Date(), attached: 0, weaker: [] };
      await store.jobs.end({ id, attempt: claim!.attempt }, { state: "succeeded", result, error: null, why: "done" });
    },
  };
}
