import { randomBytes } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { KubeError } from "./errors.ts";
import { containerName } from "./manifest.ts";
import type { PodSpec } from "./manifest.ts";
import { podNames } from "./names.ts";
import type { PodIdentity } from "./names.ts";
import { createPods } from "./pods.ts";
import type { Control, Pods, PodsOptions } from "./pods.ts";

/** Whether a cluster's network does what NetworkPolicies say; null where that could not be found out. `detail` says what was seen. */
export type Enforcement = { enforced: boolean | null; detail: string };

/** `image`: one that the cluster has or can pull, with `sh` and one of python3, bash, nc and curl. */
export type EnforcementTrial = PodsOptions & { image: string; timeoutMs: number; signal?: AbortSignal };

// Connects to the API server, which answers in every cluster at an address that every pod is told, and which no internet address is.
const ATTEMPT = `
host=$KUBERNETES_SERVICE_HOST port=\${KUBERNETES_SERVICE_PORT:-443}
has() { command -v "$1" >/dev/null 2>&1; }
if has python3; then connect() { python3 -c 'import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), 3)' "$host" "$port"; }
elif has bash && has timeout; then connect() { timeout 3 bash -c ': <>"/dev/tcp/$0/$1"' "$host" "$port"; }
elif has nc; then connect() { nc -w 3 "$host" "$port" </dev/null; }
elif has curl; then connect() { case $host in *:*) host="[$host]" ;; esac; curl -ks --connect-timeout 3 "https://$host:$port/"; }
else echo no-tool; exit; fi
if connect >/dev/null 2>&1; then echo through; else echo blocked; fi`;

const resources = { memory: "64Mi", cpu: "100m", memoryRequests: "16Mi", cpuRequests: "5m" };
// In which a network takes up a policy, as far as they are known.
const takesUpWithinMs = 20_000;
const pauseMs = 1_000;
const attemptWithinMs = 10_000;
const goneWithinMs = 60_000;
const leftOverAfterMs = 600_000;
// Whose pod it is: nobody's.
const trialId = "podq.network";
const trialName = /^\d{13}-[0-9a-f]{8}$/;

/**
 * Finds out by trying: a pod of its own that may connect to everything, and does; then it may connect to nothing, and is looked at again.
 * What the cluster says of its network is not asked. Never throws.
 */
export async function tryEnforcement(trial: EnforcementTrial): Promise<Enforcement> {
  const pods = createPods(trial);
  const { installation, image, timeoutMs, signal } = trial;
  const name = `${Date.now()}-${randomBytes(4).toString("hex")}`;
  const identity = podNames({ installation, kind: "project", id: trialId, name, generation: 1 });
  const control = { timeoutMs, ...(signal && { signal }) };
  const spec: PodSpec = { image, resources, storage: "16Mi", journal: "16Mi", network: "all" };
  try {
    await deleteLeftOver(pods, control);
    const { podName } = await pods.create(identity, spec, control);
    const first = await attempt(trial, identity, podName!);
    if (first !== "through") return { enforced: null, detail: unknown[first] };
    await pods.create(identity, { ...spec, network: "none" }, { ...control, ifChanged: "update" });
    for (const until = performance.now() + takesUpWithinMs; ; await delay(pauseMs, undefined, { ...(signal && { signal }) })) {
      const now = await attempt(trial, identity, podName!);
      if (now === "blocked") return { enforced: true, detail: "a pod that may connect to nothing was kept from the API server's address" };
      if (performance.now() < until) continue;
      return { enforced: false, detail: "a pod that may connect to nothing still connected to the API server's address" };
    }
  } catch (error) {
    const why = error instanceof KubeError ? `${error.code}: ${error.message}` : String(error);
    return { enforced: null, detail: `it could not be tried with image ${image}: ${why}` };
  } finally {
    // What cannot be deleted now, a later trial deletes.
    await pods.delete(identity, { timeoutMs: goneWithinMs }).catch(() => undefined);
  }
}

// A project may be called the same, and have pods of other names.
function isTrial({ kind, id, name }: PodIdentity): boolean {
  return kind === "project" && id === trialId && trialName.test(name);
}

// Of trials whose process died.
async function deleteLeftOver(pods: Pods, control: Control): Promise<void> {
  for (const found of await pods.all(control))
    if (isTrial(found) && Number.parseInt(found.name, 10) < Date.now() - leftOverAfterMs) await pods.delete(found, control);
}

const unknown = {
  blocked: "a pod that may connect to everything does not reach the API server's address either",
  "no-tool": "the image has no shell, or none of python3, bash, nc and curl to connect with",
};

async function attempt(
  { run, kubectl = ["kubectl"] }: PodsOptions,
  { namespace }: PodIdentity,
  podName: string,
): Promise<"through" | "blocked" | "no-tool"> {
  const exec = ["exec", `--namespace=${namespace}`, podName, "-c", containerName, "--", "sh", "-c", ATTEMPT];
  const went = await run([...kubectl, ...exec], { timeoutMs: attemptWithinMs });
  const word = /^(through|blocked|no-tool)$/m.exec(went.stdout.toString())?.[1];
  if (word === undefined)
    throw new KubeError("internal", `the attempt to connect said nothing: ${went.stderr.toString().trim().slice(0, 500)}`);
  return word as "through" | "blocked" | "no-tool";
}
