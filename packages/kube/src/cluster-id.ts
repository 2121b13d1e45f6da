import { KubeError } from "./errors.ts";
import { createKubectl, paths } from "./kubectl.ts";
import type { Namespace } from "./objects.ts";
import type { Open, Run } from "./run.ts";

/**
 * What tells one cluster from another, however it is reached: the uid of its namespace kube-system, which is there from its beginning.
 * Throws KubeError.
 */
export async function clusterId(
  way: { run: Run; open: Open; kubectl: readonly string[] },
  { signal, timeoutMs }: { signal?: AbortSignal; timeoutMs: number },
): Promise<string> {
  const found = await createKubectl(way).getRaw<Namespace>(paths.namespace("kube-system"), {
    signal,
    until: performance.now() + timeoutMs,
  });
  if (found === undefined) throw new KubeError("internal", "the cluster has no namespace kube-system");
  return found.metadata.uid;
}
