import { createHash, randomBytes } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startMeter, type Reading } from "../cpu.ts";
import { BenchError } from "../errors.ts";
import { openScene, type Scene } from "../exec/scene.ts";
import { verdict } from "../goal.ts";
import { markdownTable } from "../markdown.ts";
import { figure, quantile, shuffled } from "../stats.ts";

/** One file of so many random bytes, up and down by each way, so many times. */
export type FilesPlan = { bytes: number; rounds: number };

type Way = "kubectl cp" | "podq cp";
type Direction = "up" | "down";

/** Figures as they were measured. */
export type FilesReport = { readings: Record<Direction, Record<Way, Reading[]>>; table: string };

/** The run whose figures count: about two minutes. */
export const fullFilesPlan: FilesPlan = { bytes: 1_073_741_824, rounds: 1 };

/** A run that shows that all of it works, in seconds. */
export const quickFilesPlan: FilesPlan = { bytes: 16_777_216, rounds: 1 };

const mebibyte = 1_048_576;
const ways = ["kubectl cp", "podq cp"] as const;
const directions = ["up", "down"] as const;
const least = 0.7;

/** Measures. Throws BenchError `wrong-result` if a copy is not byte for byte the file. */
export async function benchFiles(plan: FilesPlan, say: (line: string) => void, stop: AbortSignal): Promise<FilesReport> {
  const dir = await mkdtemp(join(tmpdir(), "podq-bench-"));
  const readings: FilesReport["readings"] = { up: { "kubectl cp": [], "podq cp": [] }, down: { "kubectl cp": [], "podq cp": [] } };
  let scene: Scene | undefined;
  try {
    const file = join(dir, "file");
    const sum = await makeFile(file, plan.bytes);
    scene = await openScene({ pods: 1, fleets: [1], say });
    for (let round = 1; round <= plan.rounds; round++)
      for (const way of shuffled(ways))
        for (const direction of directions) {
          stop.throwIfAborted();
          const copy = direction === "up" ? `/workspace/${way.slice(0, 4)}` : join(dir, "copy");
          const read = startMeter();
          if (way === "podq cp") await byPodq(scene, direction, file, copy);
          else await byKubectl(scene, direction, file, copy);
          const reading = read();
          if ((await sumOf(scene, direction, copy)) !== sum) throw new BenchError("wrong-result", `${way} ${direction}: another file came`);
          readings[direction][way].push(reading);
          say(`round ${round} of ${plan.rounds}, ${way} ${direction}: ${figure(speedOf(plan, reading))} MiB/s`);
        }
    return { readings, table: tableOf(plan, readings) };
  } finally {
    await scene?.close();
    await rm(dir, { recursive: true, force: true });
  }
}

async function byPodq({ fleets, places }: Scene, direction: Direction, file: string, copy: string): Promise<void> {
  const { files } = fleets[0]!.podq.pod({ project: places[0]!.project });
  if (direction === "up") await files.putFile(file, copy);
  else await files.getFile("/workspace/podq", copy);
}

async function byKubectl({ cluster, places }: Scene, direction: Direction, file: string, copy: string): Promise<void> {
  const { namespace, pod } = places[0]!;
  const there = `${namespace}/${pod}:${direction === "up" ? copy : "/workspace/kube"}`;
  const { code, stderr } = await cluster.kubectl(["cp", "-c", "workspace", ...(direction === "up" ? [file, there] : [there, copy])]);
  if (code !== 0) throw new BenchError("wrong-result", `kubectl cp ${direction}: ${stderr}`);
}

async function sumOf({ fleets, places }: Scene, direction: Direction, copy: string): Promise<string> {
  if (direction === "up")
    return (await fleets[0]!.podq.pod({ project: places[0]!.project }).run(["sha256sum", copy])).stdout.text().slice(0, 64);
  const hash = createHash("sha256");
  for await (const piece of createReadStream(copy, { highWaterMark: mebibyte })) hash.update(piece as Buffer);
  return hash.digest("hex");
}

async function makeFile(file: string, bytes: number): Promise<string> {
  const hash = createHash("sha256");
  const handle = await open(file, "wx");
  for (let at = 0; at < bytes; at += mebibyte) {
    const piece = randomBytes(Math.min(mebibyte, bytes - at));
    hash.update(piece);
    await handle.writeFile(piece);
  }
  await handle.close();
  return hash.digest("hex");
}

function speedOf({ bytes }: FilesPlan, { wallMs }: Reading): number {
  return bytes / mebibyte / (wallMs / 1_000);
}

function tableOf(plan: FilesPlan, readings: FilesReport["readings"]): string {
  const speeds = (direction: Direction, way: Way): number =>
    quantile(
      readings[direction][way].map((one) => speedOf(plan, one)),
      0.5,
    );
  const rows = directions.flatMap((direction) =>
    ways.map((way) => {
      const speed = speeds(direction, way);
      const ratio = speed / speeds(direction, "kubectl cp");
      const cpu = quantile(
        readings[direction][way].map(({ machineMs }) => (machineMs * mebibyte) / plan.bytes),
        0.5,
      );
      const goal = way === "podq cp" ? verdict({ what: "speed", limit: least, side: "at-least" }, ratio) : "";
      return [direction, way, figure(speed), figure(ratio), figure(cpu), goal];
    }),
  );
  const head = ["direction", "way", "MiB/s", "to kubectl cp", "CPU of machine, ms a MiB", "goal"];
  return `${markdownTable(head, rows)}\n\n${figure(plan.bytes / mebibyte)} MiB of random bytes, ${plan.rounds} rounds, checksums equal.`;
}
