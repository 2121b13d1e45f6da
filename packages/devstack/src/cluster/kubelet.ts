import { PodRunner } from "./pod-runner.ts";
import type { PodRunnerOptions } from "./pod-runner.ts";
import type { Pod } from "./object.ts";
import type { Sandbox } from "./sandbox.ts";
import type { Store } from "./store.ts";

/** The node's agent: runs a process for every pod, until the pod is gone. */
export type Kubelet = {
  /** The running container of a pod, if it has one. */
  sandbox: (uid: string) => Sandbox | undefined;
  /** The runner of a pod that the node has or had. */
  runner: (uid: string) => PodRunner | undefined;
  /** Lets everything that waits for something look again. */
  kick: () => void;
  /** Ends all pods at once. */
  stop: () => Promise<void>;
};

/** Runs the pods of a store; what is to happen to each is in `options`. */
export function startKubelet(store: Store, options: PodRunnerOptions): Kubelet {
  const runners = new Map<string, PodRunner>();
  const ended = new Set<string>();
  const look = (pod: Pod): void => {
    const { uid, namespace, name, deletionTimestamp, finalizers = [] } = pod.metadata;
    let runner = runners.get(uid);
    if (!runner && (ended.has(uid) || pod.status.phase === "Failed" || pod.status.phase === "Succeeded")) {
      if (deletionTimestamp !== undefined && finalizers.length === 0) store.pods.remove(namespace, name);
      return;
    }
    if (!runner) {
      runner = new PodRunner(store, pod, options);
      runners.set(uid, runner);
      void runner.done.then(() => {
        runners.delete(uid);
        ended.add(uid);
      });
    }
    if (deletionTimestamp !== undefined) runner.terminate((pod.metadata.deletionGracePeriodSeconds ?? 30) * 1000);
  };
  const unsubscribe = store.onChange(({ type, resource, object }) => {
    if (resource === store.claims.resource) for (const runner of runners.values()) runner.kick();
    if (resource !== store.pods.resource) return;
    if (type === "DELETED") runners.get(object.metadata.uid)?.terminate(0);
    else {
      const pod = store.pods.get(object.metadata.namespace, object.metadata.name);
      if (pod) look(pod);
    }
  });
  return {
    sandbox: (uid) => runners.get(uid)?.sandbox,
    runner: (uid) => runners.get(uid),
    kick: () => {
      for (const runner of runners.values()) runner.kick();
    },
    stop: async () => {
      unsubscribe();
      const all = [...runners.values()];
      for (const runner of all) runner.terminate(0);
      await Promise.all(all.map((runner) => runner.done));
    },
  };
}
