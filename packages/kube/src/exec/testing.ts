// What the cluster suites of exec stand on. Not exported from the package.
import { readdirSync, readFileSync } from "node:fs";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { createHostKeys, createPool, loadKey, type Pool } from "@podq/ssh";
import { containerName, deploymentOf } from "../manifest.ts";
import type { PodIdentity } from "../names.ts";
import { eventually, type ClusterFixture } from "../testing.ts";
import type { Execs } from "./exec.ts";
import type { ExecOutcome, ExecRequest, ExecTarget, LiveInput, Piece } from "./outcome.ts";

/** Takes a run's output, and throws when a byte comes twice, out of order, or is skipped; `gap` allows the one of a capped stream. */
class Ear {
  readonly pieces: Piece[] = [];
  readonly gaps: { stream: Piece["stream"]; from: number; to: number }[] = [];
  readonly #at: { stdout: number; stderr: number };
  readonly #mayGap: boolean;

  constructor(from: { stdout: number; stderr: number }, mayGap: boolean) {
    this.#at = { ...from };
    this.#mayGap = mayGap;
  }

  take(pieces: Piece[]): void {
    for (const { stream, offset, data } of pieces) {
      const at = this.#at[stream];
      if (offset < at || (offset > at && !this.#mayGap)) throw new Error(`${stream} was at ${at}, and goes on at ${offset}`);
      if (offset > at) this.gaps.push({ stream, from: at, to: offset });
      this.#at[stream] = offset + data.length;
    }
    this.pieces.push(...pieces);
  }

  bytes(stream: Piece["stream"]): Buffer {
    return Buffer.concat(this.pieces.filter((piece) => piece.stream === stream).map(({ data }) => data));
  }

  text(stream: Piece["stream"]): string {
    return this.bytes(stream).toString();
  }
}

/** A run that is on its way. */
export type Begun = { request: ExecRequest; ear: Ear; cancel: AbortController; detach: AbortController; outcome: Promise<ExecOutcome> };

let serial = 0;

/** Begins a run, of a job that no other test has unless given. */
export function begin(execs: Execs, target: ExecTarget, change: Partial<ExecRequest>): Begun {
  const request: ExecRequest = {
    jobId: `job-${process.pid}-${++serial}`,
    run: 1,
    attempt: 1,
    command: ["true"],
    timeoutMs: 60_000,
    graceMs: 1000,
    maxOutputBytes: 16 * 1024 * 1024,
    exclusive: false,
    fence: [],
    from: { stdout: 0, stderr: 0 },
    ...change,
  };
  const ear = new Ear(request.from, request.maxOutputBytes < 1024 * 1024);
  const [cancel, detach] = [new AbortController(), new AbortController()];
  const onOutput = async (pieces: Piece[]): Promise<void> => ear.take(pieces);
  const outcome = execs.run(target, request, { cancel: cancel.signal, detach: detach.signal, onOutput });
  outcome.catch(() => undefined); // whoever awaits it hears of it
  return { request, ear, cancel, detach, outcome };
}

/** Runs to the end: the outcome, with both streams as text. */
export async function run(
  execs: Execs,
  target: ExecTarget,
  change: Partial<ExecRequest>,
): Promise<{ outcome: ExecOutcome; stdout: string; stderr: string }> {
  const { ear, outcome } = begin(execs, target, change);
  return { outcome: await outcome, stdout: ear.text("stdout"), stderr: ear.text("stderr") };
}

/** A pod of `pods.create`, as commands are run in it. */
export async function createdPod(on: ClusterFixture, identity: PodIdentity): Promise<ExecTarget> {
  const spec = on.spec({ resources: { memory: "128Mi", cpu: "1", memoryRequests: "10Mi", cpuRequests: "5m" } });
  const { namespace, podName, podUid } = await on.pods.create(identity, spec, { timeoutMs: 60_000 });
  return { namespace, pod: podName!, podUid: podUid! };
}

/** Input that grows by hand. Remembers how much was read and how much taken, and throws if that is read again. */
export class Source implements LiveInput {
  bytes: Buffer = Buffer.alloc(0);
  ended = false;
  takenTo = 0;
  furthest = 0;
  #more = Promise.withResolvers<void>();

  async read(offset: number, maxBytes: number, signal: AbortSignal): Promise<Uint8Array | null> {
    if (offset < this.takenTo) throw new Error(`${offset} was taken: ${this.takenTo}`);
    while (!signal.aborted) {
      if (offset < this.bytes.length) {
        const piece = this.bytes.subarray(offset, offset + maxBytes);
        this.furthest = Math.max(this.furthest, offset + piece.length);
        return piece;
      }
      if (this.ended) return null;
      await Promise.race([this.#more.promise, delay(1000)]);
    }
    throw signal.reason as Error;
  }

  taken(offset: number): void {
    this.takenTo = Math.max(this.takenTo, offset);
  }

  write(bytes: Uint8Array | string, ended = false): void {
    this.bytes = Buffer.concat([this.bytes, Buffer.from(bytes)]);
    this.ended = ended;
    this.#more.resolve();
    this.#more = Promise.withResolvers();
  }
}

type PodTemplate = { containers: [{ volumeMounts: object[]; securityContext: object }]; volumes: object[] };

/** How a pod by hand differs from a created one. */
export type BarePod = {
  image?: string;
  command?: string[];
  readOnlyRoot?: boolean;
  /** Where the journal's volume is, and what it is; null: there is none. */
  journal?: object | null;
};

/** A pod by hand, as `pods.create` would not make it, in the namespace of one that it made. */
export async function barePod(on: ClusterFixture, home: PodIdentity, name: string, change: BarePod): Promise<ExecTarget> {
  const resources = { memory: "128Mi", cpu: "1", memoryRequests: "10Mi", cpuRequests: "5m" };
  const options = { start: "1", progressDeadlineSeconds: 60 };
  const deployment = deploymentOf(home, on.spec({ resources }), options) as { spec: { template: { spec: PodTemplate } } };
  const { containers, volumes, ...rest } = deployment.spec.template.spec;
  const [workspace] = volumes;
  const [container] = containers;
  const { image, command, readOnlyRoot = false, journal = { emptyDir: {} } } = change;
  const spec = {
    ...rest,
    terminationGracePeriodSeconds: 1,
    containers: [
      {
        ...container,
        ...(image !== undefined && { image }),
        ...(command && { command }),
        securityContext: { ...container.securityContext, readOnlyRootFilesystem: readOnlyRoot },
        volumeMounts: container.volumeMounts.slice(0, journal ? 2 : 1),
      },
    ],
    volumes: [workspace, ...(journal ? [{ name: "podq", ...journal }] : [])],
  };
  const namespace = home.namespace;
  await on.admin(
    ["apply", "--server-side", "--validate=ignore", "-f", "-"],
    JSON.stringify({ apiVersion: "v1", kind: "Pod", metadata: { name, namespace }, spec }),
  );
  const uidOnceReady = async (): Promise<string | undefined> => {
    const { metadata, status } = JSON.parse(await on.admin(["get", "pod", name, `--namespace=${namespace}`, "-o", "json"]));
    return status?.containerStatuses?.[0]?.ready === true ? String(metadata.uid) : undefined;
  };
  const podUid = await eventually(`${name} runs`, uidOnceReady, 60_000);
  return { namespace, pod: name, podUid };
}

/** What a script says in a pod, by the administrator's way. */
export function inPod(on: ClusterFixture, { namespace, pod }: ExecTarget, script: string): Promise<string> {
  return on.admin(["exec", `--namespace=${namespace}`, pod, "-c", containerName, "--", "sh", "-c", script]);
}

/** Command lines of a pod's living processes, one a line, words apart by blanks. */
export async function processesOf(on: ClusterFixture, target: ExecTarget): Promise<string[]> {
  const script = 'for d in /proc/[0-9]*; do tr "\\0\\n" "  " <$d/cmdline && echo; done 2>/dev/null; true';
  return (await inPod(on, target, script)).split("\n").filter((line) => line.trim() !== "");
}

/** Processes of this machine whose command line fits. */
export function processesOfHost(fits: (argv: readonly string[]) => boolean): number[] {
  return readdirSync("/proc").flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      const argv = readFileSync(`/proc/${name}/cmdline`, "utf8").split("\0").slice(0, -1);
      return fits(argv) ? [Number(name)] : [];
    } catch {
      return []; // gone meanwhile
    }
  });
}

/** Kills every kubectl that holds a session with the pod, as -9 does; how many there were. The test cluster's host is this machine. */
export function killKubectl({ pod }: ExecTarget): number {
  const pids = processesOfHost((argv) => argv[1] === "exec" && argv[3] === pod);
  for (const pid of pids)
    try {
      process.kill(pid, "SIGKILL");
    } catch {} // gone by itself
  return pids.length;
}

/** A way to the cluster's host through a relay whose connections can be cut. */
export type Relay = { pool: Pool; cut(): number; stop(): Promise<void> };

/** Opens a way of its own to the host. */
export async function relay({ cluster }: ClusterFixture): Promise<Relay> {
  const { host, port, username, privateKey } = cluster.ssh;
  const pairs = new Set<readonly [Socket, Socket]>();
  const server = createServer({ noDelay: true }, (near) => {
    const far = connect({ host, port, noDelay: true });
    const pair = [near, far] as const;
    pairs.add(pair);
    for (const [socket, other] of [pair, [far, near] as const]) {
      socket.on("error", () => undefined);
      socket.once("close", () => (pairs.delete(pair), other.destroy()));
      socket.pipe(other);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { key } = loadKey({ text: privateKey });
  const pool = createPool({
    host: "127.0.0.1",
    port: (server.address() as AddressInfo).port,
    username,
    key,
    // The relay's port is in no known_hosts.
    hostKeys: createHostKeys({ trustOnFirstUse: true }),
  });
  const cut = (): number => {
    const count = pairs.size;
    for (const [near, far] of pairs) {
      near.resetAndDestroy();
      far.destroy();
    }
    return count;
  };
  const stop = async (): Promise<void> => {
    await pool.close({ graceMs: 1000 });
    server.close();
    cut();
  };
  return { pool, cut, stop };
}
