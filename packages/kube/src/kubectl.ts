import { KubeError } from "./errors.ts";
import type { KubeCode } from "./errors.ts";
import type { Channel, Exit, Failure, FailureKind, Open, Run } from "./run.ts";

/** How long an operation may take: until `until` (on performance.now()'s clock, ms), and no longer than the caller wants it. */
export type Bounds = { signal?: AbortSignal | undefined; until: number };

/** What a guarded delete found: the object (now going), nothing, or another object under the same name, which was left alone. */
type Deleted = "deleted" | "absent" | "other";

/** The calls that podq makes, each one kubectl process on the host. All throw KubeError. */
export type Kubectl = {
  /** Runs to the end and reads its JSON. */
  json<T>(args: readonly string[], bounds: Bounds, stdin?: string): Promise<T>;
  /** GET of one path; undefined if nothing is there. No discovery, so it needs no cache. */
  getRaw<T>(path: string, bounds: Bounds): Promise<T | undefined>;
  /** DELETE of one path, if what is there has this uid. */
  deleteRaw(path: string, uid: string, bounds: Bounds): Promise<Deleted>;
  /** Holds a GET open, for a watch. The caller closes it. */
  hold(path: string, bounds: Bounds): Promise<Channel>;
};

const part = encodeURIComponent;

/** Paths of the API server, for raw requests. */
export const paths = {
  namespace: (name: string) => `/api/v1/namespaces/${part(name)}`,
  namespaces: (query: string) => `/api/v1/namespaces?${query}`,
  deployment: (namespace: string, name: string) => `/apis/apps/v1/namespaces/${part(namespace)}/deployments/${part(name)}`,
  deployments: (namespace: string, query: string) => `/apis/apps/v1/namespaces/${part(namespace)}/deployments?${query}`,
  everyDeployment: (query: string) => `/apis/apps/v1/deployments?${query}`,
  everyPod: (query: string) => `/api/v1/pods?${query}`,
  networkPolicy: (namespace: string, name: string) =>
    `/apis/networking.k8s.io/v1/namespaces/${part(namespace)}/networkpolicies/${part(name)}`,
  ingress: (namespace: string, name: string) => `/apis/networking.k8s.io/v1/namespaces/${part(namespace)}/ingresses/${part(name)}`,
  pods: (namespace: string, query: string) => `/api/v1/namespaces/${part(namespace)}/pods?${query}`,
};

/** A query of the API server: `named("x")` selects by name, `labelled("a=b,c=d")` by label. */
export const named = (name: string): string => `fieldSelector=${part(`metadata.name=${name}`)}`;
export const labelled = (selector: string): string => `labelSelector=${part(selector)}`;

// One call that takes longer than this hangs, however much time the whole operation has.
const CALL_TIMEOUT_MS = 30_000;
const MAX_MESSAGE = 2_000;

/** Builds every kubectl argv in this package, and gives every way in which one can fail its code. `kubectl` is the argv's beginning. */
export function createKubectl({ run, open, kubectl = ["kubectl"] }: { run: Run; open: Open; kubectl?: readonly string[] }): Kubectl {
  async function call(args: readonly string[], bounds: Bounds, stdin?: string): Promise<Exit> {
    const timeoutMs = Math.min(CALL_TIMEOUT_MS, remainingMs(bounds));
    const went = await run([...kubectl, ...args], {
      timeoutMs,
      ...(stdin !== undefined && { stdin }),
      ...(bounds.signal && { signal: bounds.signal }),
    });
    if (went.kind !== "exit") throw failureError(went);
    return went;
  }

  return {
    async json<T>(args: readonly string[], bounds: Bounds, stdin?: string) {
      const exit = await call(args, bounds, stdin);
      if (exit.code !== 0) throw exitError(exit);
      return parse(exit.stdout) as T;
    },

    async getRaw<T>(path: string, bounds: Bounds) {
      const exit = await call(["get", "--raw", path], bounds);
      if (exit.code === 0) return parse(exit.stdout) as T;
      if (isNotFound(exit)) return undefined;
      throw exitError(exit);
    },

    async deleteRaw(path, uid, bounds) {
      const options = { apiVersion: "v1", kind: "DeleteOptions", preconditions: { uid }, propagationPolicy: "Background" };
      const exit = await call(["delete", "--raw", path, "-f", "-"], bounds, JSON.stringify(options));
      if (exit.code === 0) return "deleted";
      const stderr = exit.stderr.toString();
      if (isNotFound(exit)) return "absent";
      if (/\(Conflict\).*UID in (?:the )?precondition/s.test(stderr)) return "other";
      // A namespace that is already going may refuse to be deleted once more.
      if (/\(Conflict\).*ensuring all content is removed/s.test(stderr)) return "deleted";
      throw exitError(exit);
    },

    async hold(path, bounds) {
      const timeoutMs = Math.min(CALL_TIMEOUT_MS, remainingMs(bounds));
      const opened = await open([...kubectl, "get", "--raw", path], { timeoutMs, ...(bounds.signal && { signal: bounds.signal }) });
      if (opened.kind !== "open") throw failureError(opened);
      return opened.channel;
    },
  };
}

/** Whether the API server has forgotten what came after the resourceVersion (or the page) that was asked for. */
export function isExpired(error: unknown): boolean {
  return error instanceof KubeError && /\((?:Expired|Gone)\)|too old resource version/.test(error.message);
}

function remainingMs({ until }: Bounds): number {
  return Math.max(1, Math.ceil(until - performance.now()));
}

function isNotFound({ stderr }: Exit): boolean {
  return stderr.toString().startsWith("Error from server (NotFound)");
}

function parse(stdout: Buffer): unknown {
  try {
    return JSON.parse(stdout.toString());
  } catch (cause) {
    throw new KubeError("internal", "kubectl succeeded, but its answer is not JSON", { cause });
  }
}

const failureCodes: Record<FailureKind, KubeCode> = {
  "not-started": "host-unreachable",
  unknown: "host-unreachable",
  timeout: "cluster-unreachable",
  aborted: "cancelled",
  unavailable: "host-unreachable",
  "host-key": "host-key-mismatch",
  auth: "host-auth-failed",
  closed: "host-unreachable",
};

/** The error for a command that did not run to its end. */
export function failureError({ kind, message, cause }: Failure): KubeError {
  return new KubeError(failureCodes[kind], kind === "timeout" ? `kubectl did not answer in time: ${message}` : message, { cause });
}

// In order: the first that matches any line counts. The API server says several unlike things as Forbidden or InternalError.
const stderrCodes: [RegExp, KubeCode][] = [
  [/the object has been modified; please apply your changes/, "modified"],
  [/because it is being terminated/, "namespace-terminating"],
  [/exceeded quota|failed quota/, "quota-exceeded"],
  [/violates PodSecurity|admission webhook .* denied the request|ValidatingAdmissionPolicy .* denied request/, "policy-violation"],
  // podq asks for none in particular: one that was given and is taken was given twice, by servers that share a small rest of the range.
  [/failed to allocate a nodePort: range is full|provided port is already allocated/, "node-port-exhausted"],
  [/failed calling webhook/, "cluster-unreachable"],
  // Without credentials kubectl asks for a user name, and finds no more input.
  [/^(?:error: )?EOF$/m, "forbidden"],
  [/Error from server \(Forbidden\)|\(Unauthorized\)|is forbidden: User /, "forbidden"],
  [
    / is invalid: |\((BadRequest|Invalid|RequestEntityTooLarge)\)|failed to create typed patch object|field not declared in schema/,
    "invalid-request",
  ],
  [
    /connection to the server .* was refused|Unable to connect to the server|connection refused|TLS handshake timeout|i\/o timeout/,
    "cluster-unreachable",
  ],
  [
    /\((ServiceUnavailable|InternalError|Timeout|ServerTimeout|TooManyRequests|Expired)\)|etcdserver:|unexpected EOF|: EOF$/m,
    "cluster-unreachable",
  ],
  [
    /the server is currently unable to handle the request|x509: |no configuration has been provided|^error: stat .*: no such file/m,
    "cluster-unreachable",
  ],
];

/** The error for a kubectl that ended with another code than 0, from what it wrote to stderr. */
export function exitError({ code, signal, stderr }: Pick<Exit, "code" | "signal" | "stderr">): KubeError {
  const text = stderr.toString();
  const message = sayings(text) || `kubectl ended with ${signal ?? `exit code ${code}`}`;
  if (code === 127 || code === 126) return new KubeError("kubectl-missing", message);
  if (signal !== null) return new KubeError("host-unreachable", `kubectl was ended on the host by ${signal}`);
  const found = stderrCodes.find(([pattern]) => pattern.test(text));
  return new KubeError(found?.[1] ?? "internal", message);
}

// Without kubectl's own log lines and the API server's warnings, which are no reason.
function sayings(stderr: string): string {
  const lines = stderr.split("\n").filter((line) => line.trim() !== "" && !/^[EWIF]\d{4} |^Warning: /.test(line));
  return lines.join("\n").slice(0, MAX_MESSAGE);
}
