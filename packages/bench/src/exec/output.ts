import { startChild } from "../child.ts";
import { BenchError } from "../errors.ts";
import { shuffled } from "../stats.ts";
import type { OutputReport, OutputSettings } from "./output-child.ts";
import type { Scene } from "./scene.ts";

/** Big outputs, by plain `kubectl exec` on a kept connection and by kube.exec. */
export type Outputs = Record<OutputSettings["by"], OutputReport[]>;

/** Fetches an output of so many bytes so many times by each way, in random order. Throws BenchError `wrong-result` if one is not complete. */
export async function measureOutputs(
  { cluster, places }: Scene,
  bytes: number,
  times: number,
  say: (line: string) => void,
  stop: AbortSignal,
): Promise<Outputs> {
  const outputs: Outputs = { kubectl: [], session: [] };
  for (let n = 1; n <= times; n++)
    for (const by of shuffled(["kubectl", "session"] as const)) {
      stop.throwIfAborted();
      const settings: OutputSettings = { by, ssh: cluster.ssh, place: places[0]!, bytes };
      const report = await inChild(settings);
      if (report.bytes !== bytes) throw new BenchError("wrong-result", `${by}: ${report.bytes} bytes of ${bytes} came`);
      outputs[by].push(report);
      say(`output ${n} of ${times} by ${by}: ${report.ms.toFixed(0)} ms`);
    }
  return outputs;
}

async function inChild(settings: OutputSettings): Promise<OutputReport> {
  const report = Promise.withResolvers<OutputReport>();
  const child = await startChild(new URL("./output-child.ts", import.meta.url), settings, report.resolve);
  try {
    return await Promise.race([report.promise, child.failed]);
  } finally {
    await child.stop();
  }
}
