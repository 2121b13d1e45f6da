/** A fault at one point of what the cluster does. Each `message` is in the real cluster's words, or one's own. */
export type Fault =
  /** A request is answered late, with an error, or not at all (`drop` cuts the connection). `verb` is get, list, watch, create, patch, update, delete or exec. */
  | {
      at: "request";
      verb?: string;
      resource?: string;
      delayMs?: number;
      drop?: boolean;
      error?: { code: number; reason: string; message: string };
    }
  /** The ReplicaSet cannot create its pod: the ReplicaFailure condition. `POD` in the message stands for the pod's name. */
  | { at: "create-pod"; message: string }
  /** The pod gets no node: PodScheduled is False. */
  | { at: "schedule"; message: string }
  /** The pod stays ContainerCreating; the cause is an event only. */
  | { at: "mount"; message: string }
  | { at: "sandbox"; message: string }
  /** The image cannot be pulled: ErrImagePull and ImagePullBackOff in turn. `afterMs` is how long the pull takes. */
  | { at: "pull"; message?: string; afterMs?: number }
  /** CreateContainerConfigError. */
  | { at: "config"; message: string }
  /** RunContainerError, then StartError and CrashLoopBackOff. */
  | { at: "start"; message: string }
  /** The container is killed some time after its start, as the kernel kills one that is out of memory. */
  | { at: "run"; afterMs: number; reason: "OOMKilled" }
  /** A Service gets no node port. */
  | { at: "node-port"; message: string }
  /** A namespace does not finish terminating: its condition NamespaceContentRemaining says why. */
  | { at: "finalize"; message: string }
  /**
   * An exec's connection ends early, after so many bytes of stdout or so much time: `cut` without a close frame, `silent` by a
   * normal close without a status (kubectl exits 0), `success` with a success nobody has earned (kubectl exits 0). The command
   * in the pod goes on.
   */
  | { at: "exec"; end: "cut" | "silent" | "success"; afterBytes?: number; afterMs?: number };

/** What a fault is limited to: a namespace, an image, and how often it happens (default: until it is undone). */
export type Scope = { namespace?: string | RegExp; image?: string; times?: number };

type Rule = { fault: Fault; scope: Scope; left: number };

const webhook = (name: string): string =>
  `Post "https://${name}.svc:443/?timeout=10s": dial tcp 10.96.0.7:443: connect: connection refused`;

/** The failures that have a name, in the sentences of a real cluster. */
export const FAILURES = {
  "image-not-found": { at: "pull" },
  "image-forbidden": {
    at: "pull",
    message:
      'rpc error: code = Unknown desc = failed to pull and unpack image "IMAGE": failed to resolve reference "IMAGE": pull access denied, ' +
      "repository does not exist or may require authorization: server message: insufficient_scope: authorization failed",
  },
  "registry-unreachable": {
    at: "pull",
    message:
      'rpc error: code = Unknown desc = failed to pull and unpack image "IMAGE": failed to resolve reference "IMAGE": failed to do request: ' +
      'Head "https://registry.example/v2/": dial tcp 192.0.2.1:443: i/o timeout',
  },
  "config-missing": { at: "config", message: 'secret "x" not found' },
  "volume-missing": { at: "mount", message: 'MountVolume.SetUp failed for volume "v" : configmap "nope" not found' },
  "sandbox-failed": {
    at: "sandbox",
    message:
      'Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup network for sandbox: plugin type="bridge" failed (add): no IP addresses available',
  },
  "entrypoint-missing": {
    at: "start",
    message:
      "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: unable to start " +
      'container process: exec: "/nope": stat /nope: no such file or directory: unknown',
  },
  "out-of-memory": { at: "run", afterMs: 300, reason: "OOMKilled" },
  unschedulable: {
    at: "schedule",
    message:
      "0/1 nodes are available: 1 Insufficient cpu. no new claims to deallocate, preemption: 0/1 nodes are available: 1 Preemption is " +
      "not helpful for scheduling.",
  },
  "selector-mismatch": {
    at: "schedule",
    message:
      "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector. no new claims to deallocate, preemption: 0/1 nodes " +
      "are available: 1 Preemption is not helpful for scheduling.",
  },
  "quota-exceeded": {
    at: "create-pod",
    message: 'pods "POD" is forbidden: exceeded quota: q, requested: pods=1, used: pods=0, limited: pods=0',
  },
  "pod-security": {
    at: "create-pod",
    message:
      'pods "POD" is forbidden: violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false (container "workspace" must ' +
      "set securityContext.allowPrivilegeEscalation=false)",
  },
  "limit-range": { at: "create-pod", message: 'pods "POD" is forbidden: maximum memory usage per Container is 50Mi, but limit is 200Mi' },
  "webhook-denied": {
    at: "request",
    verb: "patch",
    resource: "deployments",
    error: { code: 403, reason: "Forbidden", message: 'admission webhook "policy.example.com" denied the request: not allowed here' },
  },
  "webhook-unreachable": {
    at: "request",
    verb: "patch",
    resource: "deployments",
    error: {
      code: 500,
      reason: "InternalError",
      message: `Internal error occurred: failed calling webhook "policy.example.com": failed to call webhook: ${webhook("policy.example")}`,
    },
  },
  "node-ports-full": { at: "node-port", message: "failed to allocate a nodePort: range is full" },
  "namespace-stuck": { at: "finalize", message: "Some resources are remaining: configmaps. has 1 resource instances" },
  unauthorized: { at: "request", error: { code: 401, reason: "Unauthorized", message: "Unauthorized" } },
  "api-overloaded": {
    at: "request",
    error: {
      code: 504,
      reason: "Timeout",
      message: "Timeout: request did not complete within requested timeout - context deadline exceeded",
    },
  },
} as const satisfies Record<string, Fault>;

/** The name of a failure that a test can ask for. */
export type FailureName = keyof typeof FAILURES;

/** The faults that are in force. */
export class Script {
  #rules: Rule[] = [];
  readonly #onChange: () => void;

  /** `onChange` is called when a fault is added or undone, so that what waits can look again. */
  constructor(onChange: () => void) {
    this.#onChange = onChange;
  }

  /** Puts a fault in force; the returned function undoes it. */
  add(fault: Fault, scope: Scope = {}): () => void {
    const rule = { fault, scope, left: scope.times ?? Number.POSITIVE_INFINITY };
    this.#rules.push(rule);
    this.#onChange();
    return () => {
      this.#rules = this.#rules.filter((one) => one !== rule);
      this.#onChange();
    };
  }

  /** Undoes all faults. */
  clear(): void {
    this.#rules = [];
    this.#onChange();
  }

  /** The fault that happens here and now, if any; one with a count is used up by being asked for. */
  take<A extends Fault["at"]>(
    at: A,
    where: { namespace?: string | undefined; image?: string; verb?: string; resource?: string },
  ): Extract<Fault, { at: A }> | undefined {
    const rule = this.#rules.find(
      ({ fault, scope, left }) => fault.at === at && left > 0 && matches(scope, where) && matchesRequest(fault, where),
    );
    if (!rule) return undefined;
    rule.left -= 1;
    return isAt(rule.fault, at) ? rule.fault : undefined;
  }
}

const isAt = <A extends Fault["at"]>(fault: Fault, at: A): fault is Extract<Fault, { at: A }> => fault.at === at;

function matches(scope: Scope, where: { namespace?: string | undefined; image?: string }): boolean {
  const { namespace, image } = scope;
  if (image !== undefined && where.image !== image) return false;
  if (namespace === undefined) return true;
  return typeof namespace === "string" ? namespace === where.namespace : namespace.test(where.namespace ?? "");
}

function matchesRequest(fault: Fault, where: { verb?: string; resource?: string }): boolean {
  if (fault.at !== "request") return true;
  return (fault.verb ?? where.verb) === where.verb && (fault.resource ?? where.resource) === where.resource;
}
