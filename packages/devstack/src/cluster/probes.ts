import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { expanded } from "./container-plan.ts";
import type { Container, EnvVar, Probe } from "./object.ts";
import { startProber } from "./prober.ts";
import type { Prober } from "./prober.ts";
import type { Sandbox } from "./sandbox.ts";

// Which probe of a container.
type ProbeKind = "liveness" | "readiness" | "startup";

/** What is told of a container's probes: `changed` whenever `started` or `ready` may have, `doomed` once, when it is to be restarted. */
export type ProbeListener = { changed: () => void; unhealthy: (message: string) => void; doomed: (kind: ProbeKind) => void };

/** The probes of one container that runs. */
export type Probing = { started: boolean; ready: boolean; stop: () => void };

const MAX_WORDS = 10_240;

/** Runs a container's probes as the kubelet does: the startup probe first, and the others once it has passed. */
export function startProbing(container: Container, sandbox: Sandbox, socket: string, tell: ProbeListener): Probing {
  const { startupProbe, readinessProbe, livenessProbe } = container;
  const over = new AbortController();
  let prober: Promise<Prober> | undefined;
  const probing = {
    started: startupProbe === undefined,
    ready: startupProbe === undefined && readinessProbe === undefined,
    stop: () => {
      over.abort();
      void prober?.then(
        ({ stop }) => stop(),
        () => {},
      );
    },
  };
  const failureOf = async (probe: Probe): Promise<string | undefined> => {
    if (probe.exec) return execFailure(sandbox, probe.exec.command ?? [], container.env ?? [], timeoutOf(probe), over.signal);
    prober ??= startProber(sandbox, socket);
    return (await prober).failure(targetOf(container, probe), timeoutOf(probe));
  };
  const watch = (kind: ProbeKind, probe: Probe | undefined, result: (passes: boolean) => void): void => {
    if (!probe) return;
    repeat(kind, probe, failureOf, over.signal, tell.unhealthy, result).catch((error: unknown) => {
      if (!over.signal.aborted) throw error;
    });
  };
  const doomed = (kind: ProbeKind): void => {
    probing.stop();
    tell.doomed(kind);
  };
  const startOthers = (): void => {
    watch("readiness", readinessProbe, (passes) => {
      probing.ready = passes;
      tell.changed();
    });
    watch("liveness", livenessProbe, (passes) => {
      if (!passes) doomed("liveness");
    });
  };
  if (startupProbe === undefined) startOthers();
  watch("startup", startupProbe, (passes) => {
    if (!passes) return doomed("startup");
    if (probing.started) return;
    Object.assign(probing, { started: true, ready: readinessProbe === undefined });
    tell.changed();
    startOthers();
  });
  return probing;
}

// `result` is told of each end of a row that is as long as the threshold.
async function repeat(
  kind: ProbeKind,
  probe: Probe,
  failureOf: (probe: Probe) => Promise<string | undefined>,
  signal: AbortSignal,
  unhealthy: (message: string) => void,
  result: (passes: boolean) => void,
): Promise<void> {
  const { initialDelaySeconds = 0, periodSeconds = 10, successThreshold = 1, failureThreshold = 3 } = probe;
  await delay(initialDelaySeconds * 1000, undefined, { signal });
  for (let row = 0, last: boolean | undefined; ;) {
    const failure = await failureOf(probe).catch((error: unknown) => String(error));
    if (signal.aborted) return;
    const passes = failure === undefined;
    if (!passes) unhealthy(`${kind[0]?.toUpperCase()}${kind.slice(1)} probe failed: ${failure}`);
    row = passes === last ? row + 1 : 1;
    last = passes;
    if (row === (passes ? successThreshold : failureThreshold)) result(passes);
    if (signal.aborted || (kind === "startup" && passes && row >= successThreshold)) return;
    await delay(periodSeconds * 1000, undefined, { signal });
  }
}

const timeoutOf = ({ timeoutSeconds = 1 }: Probe): number => timeoutSeconds * 1000;

function targetOf({ ports = [] }: Container, { httpGet, tcpSocket }: Probe): { port: number; url?: string } {
  const wanted = httpGet?.port ?? tcpSocket?.port ?? 0;
  const port = typeof wanted === "number" ? wanted : (ports.find(({ name }) => name === wanted)?.containerPort ?? 0);
  if (!httpGet) return { port };
  return { port, url: `${(httpGet.scheme ?? "HTTP").toLowerCase()}://HOST:${port}${httpGet.path ?? "/"}` };
}

async function execFailure(
  sandbox: Sandbox,
  command: readonly string[],
  env: readonly EnvVar[],
  timeoutMs: number,
  signal: AbortSignal,
): Promise<string | undefined> {
  const known = Object.fromEntries(env.map(({ name, value = "" }) => [name, value]));
  const child = sandbox.exec(command.map((word) => expanded(word, known)));
  let words = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (text: string) => (words = (words + text).slice(0, MAX_WORDS)));
  child.stdin.on("error", () => {}).end();
  const late = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
  try {
    const [code] = (await once(child, "close", { signal: late })) as [number | null];
    return code === 0 ? undefined : words;
  } catch {
    child.kill("SIGKILL");
    return `command timed out: ${JSON.stringify(command.join(" "))} timed out after ${timeoutMs / 1000}s`;
  }
}
