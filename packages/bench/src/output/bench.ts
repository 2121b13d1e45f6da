import { spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import { connect } from "@podq/client";
import { startMongo, startRedis } from "@podq/devstack";
import { useTestCluster } from "@podq/devstack/testing";
import type { ApiReady } from "../api-child.ts";
import { startChild, type Child } from "../child.ts";
import { BenchError } from "../errors.ts";
import { markdownTable } from "../markdown.ts";
import { residentMb } from "../memory.ts";
import { figure } from "../stats.ts";

/** So many bytes of output, read over HTTP while they are written, no faster than so. */
export type OutputPlan = { bytes: number; bytesPerSecond: number };

// Resident memory of one process in MB: before, and the most in each quarter of the reading.
type MemoryOverTime = { before: number; quarters: number[] };

/** Figures as they were measured. */
export type OutputFollowReport = { worker: MemoryOverTime; api: MemoryOverTime; commandMs: number; readMs: number; table: string };

/** The run whose figures count: about a minute. */
export const fullOutputPlan: OutputPlan = { bytes: 100 * 1_048_576, bytesPerSecond: 4 * 1_048_576 };

/** A run that shows that all of it works, in seconds. */
export const quickOutputPlan: OutputPlan = { bytes: 8 * 1_048_576, bytesPerSecond: 8 * 1_048_576 };

const sampleMs = 50;

/** Measures. Throws BenchError `wrong-result` if what was read is not byte for byte what was written. */
export async function benchOutput(plan: OutputPlan, say: (line: string) => void, stop: AbortSignal): Promise<OutputFollowReport> {
  const undo: (() => Promise<unknown>)[] = [];
  try {
    const { url, podq, worker, api, image } = await openScene(undo);
    const resources = { memory: "512Mi", cpu: "1", memoryRequests: "10Mi", cpuRequests: "5m" };
    const pod = podq.pod({ project: "p" });
    await (await pod.create({ image, resources })).result();
    await pod.run(["true"]);
    say("a pod runs");
    const command = `seq 1 100000000 | head -c ${plan.bytes}`; // no two places of it look alike
    const before = { worker: residentMb(worker.pid), api: residentMb(api.pid) };
    const from = performance.now();
    const job = await pod.exec(command, { maxOutputBytes: plan.bytes + 1_024 });
    const done = job.result().then(() => performance.now() - from);
    done.catch(() => undefined); // awaited below
    const response = await fetch(`${url}/v1/jobs/${job.id}/output?stream=stdout&follow=true`, { signal: stop });
    if (!response.ok || response.body === null) throw new BenchError("wrong-result", `the API answered ${response.status}`);

    const peaks: Record<"worker" | "api", number[]> = { worker: [], api: [] };
    const hash = createHash("sha256");
    let read = 0;
    const sample = (): void => {
      const quarter = Math.min(3, Math.floor((read * 4) / plan.bytes));
      for (const [name, { pid }] of [
        ["worker", worker],
        ["api", api],
      ] as const)
        peaks[name][quarter] = Math.max(peaks[name][quarter] ?? 0, residentMb(pid));
    };
    const timer = setInterval(sample, sampleMs);
    try {
      for await (const chunk of response.body) {
        hash.update(chunk);
        read += chunk.byteLength;
        await pause(Math.max(0, from + (read * 1_000) / plan.bytesPerSecond - performance.now()), undefined, { signal: stop });
      }
    } finally {
      clearInterval(timer);
    }
    const readMs = performance.now() - from;
    const commandMs = await done;
    say(`${read} bytes are read`);
    if (hash.digest("hex") !== (await hashOf(command)))
      throw new BenchError("wrong-result", `what was read (${read} bytes) is not what was written`);
    const over = (name: "worker" | "api"): MemoryOverTime => ({ before: before[name], quarters: peaks[name] });
    const figures = { worker: over("worker"), api: over("api"), commandMs, readMs };
    return { ...figures, table: tableOf(plan, figures) };
  } finally {
    for (const one of undo.toReversed()) await one();
  }
}

async function openScene(undo: (() => Promise<unknown>)[]) {
  const cluster = await useTestCluster();
  undo.push(cluster.stop);
  const redis = await startRedis();
  undo.push(redis.stop);
  const mongo = await startMongo();
  undo.push(mongo.stop);
  const prefix = `bench-${randomBytes(3).toString("hex")}`;
  const databases = { redisUrl: redis.url, mongodbUri: mongo.uri.replace("/?", "/podq?"), prefix };
  const { host, port, username, privateKey, knownHosts } = cluster.ssh;
  const settings = {
    REDIS_URL: redis.url,
    MONGODB_URI: databases.mongodbUri,
    PODQ_PREFIX: prefix,
    PODQ_INSTALLATION: prefix,
    PODQ_LOG_LEVEL: "warn",
    K8S_SSH_HOST: host,
    K8S_SSH_PORT: String(port),
    K8S_SSH_USERNAME: username,
    K8S_SSH_KEY_STRING: privateKey,
    K8S_SSH_KNOWN_HOSTS: knownHosts,
  };
  let url = "";
  const start = async (file: string, given: object, heard?: (message: never) => void): Promise<Child> => {
    const child = await startChild(new URL(file, import.meta.url), given, heard);
    undo.push(child.stop);
    return child;
  };
  const worker = await start("../exec/worker-child.ts", settings);
  const api = await start("../api-child.ts", { ...settings, PODQ_API_PORT: "0" }, (ready: ApiReady) => (url = ready.url));
  const podq = await connect(databases);
  undo.push(podq.close);
  return { url, podq, worker, api, image: cluster.image };
}

async function hashOf(command: string): Promise<string> {
  const child = spawn("sh", ["-c", command], { stdio: ["ignore", "pipe", "inherit"] });
  const hash = createHash("sha256");
  for await (const chunk of child.stdout) hash.update(chunk as Buffer);
  return hash.digest("hex");
}

const rowOf = (name: string, { before, quarters }: MemoryOverTime): string[] => [name, ...[before, ...quarters].map(figure)];
const mebibytes = (bytes: number): string => figure(bytes / 1_048_576);

function tableOf(plan: OutputPlan, { worker, api, commandMs, readMs }: Omit<OutputFollowReport, "table">): string {
  const head = ["resident memory, MB", "before", "1st quarter, at most", "2nd", "3rd", "4th"];
  return `${markdownTable(head, [rowOf("worker", worker), rowOf("API", api)])}

${mebibytes(plan.bytes)} MiB, read over HTTP at ${mebibytes(plan.bytesPerSecond)} MiB a second at most, byte for byte what the command wrote. It ended after \
${figure(commandMs / 1_000)} s, its reader after ${figure(readMs / 1_000)} s.`;
}
