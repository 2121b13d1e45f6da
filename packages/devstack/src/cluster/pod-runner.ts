import { randomBytes } from "node:crypto";
import { chmod, mkdir, symlink } from "node:fs/promises";
import { join } from "node:path";
import { recordEvent } from "./events.ts";
import type { EventFacts } from "./events.ts";
import type { Image, Mount } from "./images.ts";
import { planContainer, prepareImage } from "./container-plan.ts";
import { watchMemory } from "./memory.ts";
import { timestamp } from "./object.ts";
import type { Container, Pod, PodStatus } from "./object.ts";
import { podStatus, terminated, unscheduledStatus } from "./pod-status.ts";
import type { ContainerFacts, NodeFacts } from "./pod-status.ts";
import { startProbing } from "./probes.ts";
import type { Probing } from "./probes.ts";
import { quantityValue } from "./quantity.ts";
import { removeTree, StartError } from "./sandbox.ts";
import type { ContainerPlan, Sandbox } from "./sandbox.ts";
import { unschedulable } from "./scheduler.ts";
import type { Script } from "./script.ts";
import { unbound, volumePath, WAITS_FOR_VOLUME } from "./storage.ts";
import type { Store } from "./store.ts";

/**
 * What pods run on: `dir` holds a folder for each, `backOffMs` is the first pause after a failure (the real one is 10 s; it
 * doubles), `start` makes a container of a plan.
 */
export type PodRunnerOptions = {
  script: Script;
  dir: string;
  nodeName: string;
  nodeAddress: string;
  images: readonly Image[];
  backOffMs: number;
  newAddress: () => string;
  /** Folders of the machine that every pod sees. */
  binds: readonly Mount[];
  start: (plan: ContainerPlan) => Promise<Sandbox>;
};

class Stopped extends Error {}

/** One pod on the node, from the scheduling to the end of its last process. */
export class PodRunner {
  /** Its container, while one runs. */
  sandbox: Sandbox | undefined;
  /** Resolves when nothing of the pod is left. */
  readonly done: Promise<void>;
  readonly #store: Store;
  readonly #options: PodRunnerOptions;
  readonly #namespace: string;
  readonly #name: string;
  readonly #uid: string;
  readonly #dir: string;
  #node: NodeFacts;
  #facts: ContainerFacts = { state: {}, lastState: {}, restartCount: 0, imageID: "" };
  #wake: () => void = () => {};
  #terminating = false;
  #killReason: string | undefined;
  #grace: NodeJS.Timeout | undefined;
  #runs = 0;

  constructor(store: Store, pod: Pod, options: PodRunnerOptions) {
    this.#store = store;
    this.#options = options;
    this.#namespace = pod.metadata.namespace ?? "";
    this.#name = pod.metadata.name;
    this.#uid = pod.metadata.uid;
    this.#dir = join(options.dir, pod.metadata.uid);
    this.#node = { hostIP: options.nodeAddress, startTime: timestamp() };
    this.done = this.#live().finally(() => clearTimeout(this.#grace));
  }

  /** Ends the pod: TERM, and KILL when its time is over. Can be called again with less time. */
  terminate(graceMs: number): void {
    const first = !this.#terminating;
    this.#terminating = true;
    if (first && this.sandbox && graceMs > 0) {
      this.#say({ type: "Normal", reason: "Killing", message: `Stopping container ${this.#container()?.name ?? ""}` });
      this.sandbox.kill("SIGTERM");
    }
    clearTimeout(this.#grace);
    if (graceMs > 0) this.#grace = setTimeout(() => this.sandbox?.kill("SIGKILL"), graceMs);
    else this.sandbox?.kill("SIGKILL");
    this.#wake();
  }

  /** Kills the container as the kernel does it, with this reason in its status. */
  kill(reason: string): void {
    this.#killReason = reason;
    this.sandbox?.kill("SIGKILL");
  }

  /** Ends the pod as the kubelet does it to save the node: it stays, as Failed. */
  evict(message: string): void {
    this.#node = { ...this.#node, phase: "Failed", reason: "Evicted", message };
    this.#say({ type: "Warning", reason: "Evicted", message });
    this.sandbox?.kill("SIGKILL");
    this.#publish();
    this.#wake();
  }

  /** Lets it look again at once at what it waits for. */
  kick(): void {
    this.#wake();
  }

  async #live(): Promise<void> {
    try {
      await this.#schedule();
      await this.#mount();
      for (;;) await this.#runOnce();
    } catch (error) {
      if (!(error instanceof Stopped)) throw error;
    } finally {
      await removeTree(this.#dir);
      if (this.#terminating) this.#removeObject();
    }
  }

  #removeObject(): void {
    const pod = this.#pod();
    if (pod && (pod.metadata.finalizers ?? []).length === 0) this.#store.pods.remove(this.#namespace, this.#name);
  }

  async #schedule(): Promise<void> {
    const { script, nodeName } = this.#options;
    // The API server's own write comes first.
    await Promise.resolve();
    await this.#retry(() => {
      const pod = this.#pod();
      const [node] = this.#store.collections.get("/nodes")?.list() ?? [];
      if (!pod || !node) return undefined;
      const others = this.#store.pods.list().filter((one) => one.spec.nodeName !== undefined && one.status.phase !== "Failed");
      const message =
        script.take("schedule", { namespace: this.#namespace })?.message ?? unschedulable(pod, node, others) ?? unbound(this.#store, pod);
      if (message === undefined || message === WAITS_FOR_VOLUME) return message;
      this.#say({ type: "Warning", reason: "FailedScheduling", message, component: "default-scheduler" });
      this.#write((draft) => {
        draft.status = unscheduledStatus(draft, message);
      });
      return message;
    });
    this.#say({
      type: "Normal",
      reason: "Scheduled",
      message: `Successfully assigned ${this.#namespace}/${this.#name} to ${nodeName}`,
      component: "default-scheduler",
    });
    this.#node.startTime = timestamp();
    this.#facts.state = { waiting: { reason: "ContainerCreating" } };
    this.#write((draft) => {
      draft.spec.nodeName = nodeName;
      draft.status = podStatus(draft, this.#node, this.#facts);
    });
  }

  async #mount(): Promise<void> {
    const { script, newAddress } = this.#options;
    const has = (plural: string, name: string): boolean =>
      this.#store.collections.get(`/${plural}`)?.get(this.#namespace, name) !== undefined;
    await this.#retry(() => {
      const fault = script.take("mount", { namespace: this.#namespace });
      const missing = this.#pod()?.spec.volumes?.find(({ configMap, secret }) => {
        if (configMap && !configMap.optional) return !has("configmaps", configMap.name);
        return secret !== undefined && !secret.optional && !has("secrets", secret.secretName);
      });
      const what = missing?.configMap ? `configmap "${missing.configMap.name}"` : `secret "${missing?.secret?.secretName ?? ""}"`;
      const message = fault?.message ?? (missing && `MountVolume.SetUp failed for volume "${missing.name}" : ${what} not found`);
      if (message) this.#say({ type: "Warning", reason: "FailedMount", message });
      return message;
    });
    await this.#retry(() => {
      const fault = script.take("sandbox", { namespace: this.#namespace });
      if (fault) this.#say({ type: "Warning", reason: "FailedCreatePodSandBox", message: fault.message });
      return fault?.message;
    });
    for (const { name, persistentVolumeClaim } of this.#pod()?.spec.volumes ?? []) {
      const folder = join(this.#dir, "volumes", name);
      const claimed = persistentVolumeClaim && volumePath(this.#store, this.#namespace, persistentVolumeClaim.claimName);
      await mkdir(claimed === undefined ? folder : join(this.#dir, "volumes"), { recursive: true });
      if (claimed === undefined) await chmod(folder, 0o2777);
      else await symlink(claimed, folder);
    }
    this.#node.podIP = newAddress();
    this.#publish();
  }

  // One life of the container, and the pause after it.
  async #runOnce(): Promise<void> {
    const image = await this.#image();
    const pod = this.#pod();
    const container = this.#container();
    if (!pod || !container) throw new Stopped();
    const id = randomBytes(32).toString("hex");
    const containerID = `containerd://${id}`;
    this.#runs += 1;
    const dir = join(this.#dir, `run-${this.#runs}`);
    const startedAt = timestamp();
    this.#say(
      {
        type: "Normal",
        reason: "Pulled",
        message: `Container image "${container.image}" already present on machine and can be accessed by the pod`,
      },
      true,
    );
    this.#say({ type: "Normal", reason: "Created", message: "Container created" }, true);
    try {
      const fault = this.#options.script.take("start", { namespace: this.#namespace, image: container.image });
      if (fault) throw new StartError(fault.message);
      const volumes = join(this.#dir, "volumes");
      this.sandbox = await this.#options.start(
        planContainer({
          pod,
          container,
          image,
          dir,
          volumes,
          binds: this.#options.binds,
          address: this.#node.podIP ?? "",
          store: this.#store,
        }),
      );
    } catch (error) {
      // Whatever went wrong on this machine is the pod's failure, not the cluster's.
      await this.#cannotStart(error instanceof Error ? error.message : String(error), containerID);
      return;
    }
    this.#say({ type: "Normal", reason: "Started", message: "Container started" }, true);
    if (this.#terminating) this.sandbox.kill("SIGKILL");
    const restarted = this.#runs > 1;
    this.#facts = {
      ...this.#facts,
      containerID,
      imageID: image.id,
      state: { running: { startedAt } },
      restartCount: restarted ? this.#facts.restartCount + 1 : 0,
    };
    const probing = this.#probe(this.sandbox, container, join(dir, "probe"));
    this.#facts = { ...this.#facts, probes: probing };
    this.#publish();
    const oom = this.#options.script.take("run", { namespace: this.#namespace, image: container.image });
    const timer = oom ? setTimeout(() => this.kill(oom.reason), oom.afterMs) : undefined;
    const stopWatching = this.#limitMemory(this.sandbox, container);
    const code = await this.sandbox.exited;
    clearTimeout(timer);
    if (!this.#terminating) clearTimeout(this.#grace);
    stopWatching();
    probing.stop();
    this.sandbox = undefined;
    const end = terminated(code, startedAt, containerID, this.#killReason);
    this.#killReason = undefined;
    this.#facts = { ...this.#facts, state: { terminated: end } };
    this.#publish();
    await this.#afterEnd(() => ({ terminated: end }));
  }

  // As the kernel does it, the biggest process is ended. However the container ends after that, its reason is OOMKilled.
  #limitMemory(sandbox: Sandbox, { resources }: Container): () => void {
    const limit = quantityValue(resources?.limits?.memory);
    if (limit === 0) return () => {};
    return watchMemory(sandbox.usage, limit, (pid) => {
      this.#killReason = "OOMKilled";
      if (pid === 1) sandbox.kill("SIGKILL");
      else sandbox.killInside(pid);
    });
  }

  #probe(sandbox: Sandbox, container: Container, socket: string): Probing {
    return startProbing(container, sandbox, socket, {
      changed: () => this.#publish(),
      unhealthy: (message) => this.#say({ type: "Warning", reason: "Unhealthy", message }, true),
      doomed: (kind) => {
        if (this.#terminating) return;
        const message = `Container ${container.name} failed ${kind} probe, will be restarted`;
        this.#say({ type: "Normal", reason: "Killing", message }, true);
        sandbox.kill("SIGTERM");
        this.#grace = setTimeout(() => sandbox.kill("SIGKILL"), (this.#pod()?.spec.terminationGracePeriodSeconds ?? 30) * 1000);
      },
    });
  }

  async #cannotStart(message: string, containerID: string): Promise<void> {
    this.#say({ type: "Warning", reason: "Failed", message: `Error: ${message}` }, true);
    const end = { exitCode: 128, reason: "StartError", message, startedAt: "1970-01-01T00:00:00Z", finishedAt: timestamp(), containerID };
    const restartCount = this.#runs > 1 ? this.#facts.restartCount + 1 : 0;
    this.#facts = {
      ...this.#facts,
      containerID,
      restartCount,
      state: { waiting: { reason: "RunContainerError", message } },
      lastState: { terminated: end },
    };
    this.#publish();
    await this.#afterEnd(() => ({ terminated: end }));
  }

  // The first restart is at once; each later one waits, twice as long as the one before.
  async #afterEnd(last: () => ContainerFacts["lastState"]): Promise<void> {
    const pod = this.#pod();
    const container = this.#container();
    if (!pod || !container || this.#terminating || this.#node.phase) throw new Stopped();
    if (pod.spec.restartPolicy === "Never" || (pod.spec.restartPolicy === "OnFailure" && this.#facts.state.terminated?.exitCode === 0)) {
      this.#node.phase = this.#facts.state.terminated?.exitCode === 0 ? "Succeeded" : "Failed";
      this.#publish();
      throw new Stopped();
    }
    const times = this.#runs - 2;
    if (times >= 0) {
      const of = `${this.#name}_${this.#namespace}(${this.#uid})`;
      this.#say(
        { type: "Warning", reason: "BackOff", message: `Back-off restarting failed container ${container.name} in pod ${of}` },
        true,
      );
      const message = `back-off ${10 * 2 ** Math.min(times, 5)}s restarting failed container=${container.name} pod=${of}`;
      const pause = this.#options.backOffMs * 2 ** Math.min(times, 5);
      await this.#pause(pause / 2);
      this.#facts = { ...this.#facts, state: { waiting: { reason: "CrashLoopBackOff", message } }, lastState: last() };
      this.#publish();
      await this.#pause(pause / 2);
    } else await this.#pause(100);
    this.#facts = { ...this.#facts, lastState: last() };
  }

  // The image, once it is there and the container's configuration can be made.
  async #image(): Promise<Image> {
    let failures = 0;
    for (;;) {
      const pod = this.#pod();
      const container = this.#container();
      if (!pod || !container) throw new Stopped();
      const { script, images, backOffMs } = this.#options;
      const found = await prepareImage({ pod, container, images, script, store: this.#store, pause: (ms) => this.#pause(ms) });
      if ("image" in found) return found.image;
      failures += 1;
      for (const event of found.events) this.#say(event, true);
      this.#waitFor(found.reason, found.message);
      const pause = backOffMs * 2 ** Math.min(failures - 1, 5);
      if (found.reason === "ErrImagePull") {
        await this.#pause(pause / 2);
        this.#say({ type: "Normal", reason: "BackOff", message: `Back-off pulling image "${container.image}"` }, true);
        this.#say({ type: "Warning", reason: "Failed", message: "Error: ImagePullBackOff" }, true);
        this.#waitFor("ImagePullBackOff", `Back-off pulling image "${container.image}": ErrImagePull: ${found.message}`);
        await this.#pause(pause / 2);
      } else await this.#pause(backOffMs);
    }
  }

  #waitFor(reason: string, message: string): void {
    this.#facts = { ...this.#facts, state: { waiting: { reason, message } } };
    this.#publish();
  }

  #publish(): void {
    this.#write((draft) => {
      draft.status = podStatus(draft, this.#node, this.#facts);
    });
  }

  #write(edit: (draft: Pod & { status: PodStatus }) => void): void {
    if (this.#pod()) this.#store.pods.update(this.#namespace, this.#name, edit);
  }

  // Only while it is the same pod: another of this name is not ours to write.
  #pod(): Pod | undefined {
    const pod = this.#store.pods.get(this.#namespace, this.#name);
    return pod?.metadata.uid === this.#uid ? pod : undefined;
  }

  #container(): Container | undefined {
    return this.#pod()?.spec.containers[0];
  }

  #say(facts: Omit<EventFacts, "component"> & { component?: string }, ofContainer = false): void {
    const pod = this.#pod();
    const name = this.#container()?.name ?? "";
    if (pod)
      recordEvent(this.#store, pod, { component: "kubelet", ...(ofContainer ? { fieldPath: `spec.containers{${name}}` } : {}), ...facts });
  }

  async #retry(attempt: () => string | undefined): Promise<void> {
    while (attempt() !== undefined) await this.#pause(this.#options.backOffMs);
    if (this.#terminating || !this.#pod()) throw new Stopped();
  }

  /** Waits, or until something may have changed; throws when the pod is to end. */
  async #pause(ms: number): Promise<void> {
    if (this.#terminating || this.#node.phase) throw new Stopped();
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#wake = () => {};
    if (this.#terminating || this.#node.phase || !this.#pod()) throw new Stopped();
  }
}
