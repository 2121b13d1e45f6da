import { literal } from "./literal.ts";

/** How often a probe asks, how long it waits, and how often in a row counts; what is left out is Kubernetes' default. */
type Times = {
  initialDelaySeconds?: number | undefined;
  periodSeconds?: number | undefined;
  timeoutSeconds?: number | undefined;
  failureThreshold?: number | undefined;
};

// One question to a pod, in exactly one of three ways.
type Probe = Times & {
  http?: { port: number; path?: string | undefined; scheme?: "http" | "https" | undefined } | undefined;
  tcp?: { port: number } | undefined;
  exec?: string[] | undefined;
  successThreshold?: number | undefined;
};

/** How the cluster finds out whether a pod is ready, alive, and started. */
export type Probes = { readiness?: Probe | undefined; liveness?: Probe | undefined; startup?: Probe | undefined };

// A probe in Kubernetes' words, with the defaults that the API server fills in.
type ContainerProbe = {
  initialDelaySeconds?: number;
  periodSeconds: number;
  timeoutSeconds: number;
  successThreshold: number;
  failureThreshold: number;
  httpGet?: { path: string; port: number; scheme: string };
  tcpSocket?: { port: number };
  exec?: { command: string[] };
};

/** The probes of a container. */
export type ContainerProbes = Partial<Record<"readinessProbe" | "livenessProbe" | "startupProbe", ContainerProbe>>;

/** A pod's probes as its container has them. */
export function probesOf({ readiness, liveness, startup }: Probes = {}): ContainerProbes {
  return {
    ...(readiness && { readinessProbe: probeOf(readiness) }),
    ...(liveness && { livenessProbe: probeOf(liveness) }),
    ...(startup && { startupProbe: probeOf(startup) }),
  };
}

function probeOf({ http, tcp, exec, ...given }: Probe): ContainerProbe {
  const { initialDelaySeconds = 0, periodSeconds = 10, timeoutSeconds = 1, successThreshold = 1, failureThreshold = 3 } = given;
  return {
    ...(http && { httpGet: { path: http.path ?? "/", port: http.port, scheme: (http.scheme ?? "http").toUpperCase() } }),
    ...(tcp && { tcpSocket: { port: tcp.port } }),
    ...(exec && { exec: { command: exec.map(literal) } }),
    initialDelaySeconds,
    periodSeconds,
    timeoutSeconds,
    successThreshold,
    failureThreshold,
  };
}

/** What a container is asked, in words that are the same for the same probes, and say nothing of the rest of the container. */
export function probeWords(container: ContainerProbes): string[] {
  return (["readinessProbe", "livenessProbe", "startupProbe"] as const).map((name) => wordsOf(container[name]));
}

// The API server leaves out a delay of 0, and orders fields as it likes.
function wordsOf(probe: ContainerProbe | undefined): string {
  if (probe === undefined) return "";
  const { httpGet, tcpSocket, exec, initialDelaySeconds = 0, periodSeconds, timeoutSeconds, successThreshold, failureThreshold } = probe;
  const way = [httpGet?.scheme, httpGet?.path, httpGet?.port, tcpSocket?.port, exec?.command];
  return JSON.stringify([way, initialDelaySeconds, periodSeconds, timeoutSeconds, successThreshold, failureThreshold]);
}
