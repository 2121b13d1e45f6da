import { labelled, paths } from "./kubectl.ts";
import type { Kubectl } from "./kubectl.ts";
import { label } from "./names.ts";
import type { Deployment, KubeObject, Namespace, Pod } from "./objects.ts";
import { reflect } from "./reflect.ts";
import type { Reflector } from "./reflect.ts";
import type { PodRef } from "./remove.ts";
import { sightOf } from "./sight.ts";
import type { Sight } from "./sight.ts";

/** What is told of a {@link Mirror}: namespaces in which something is other than before, and that the way to the cluster was lost. */
export type MirrorListener = { changed: (namespaces: readonly string[]) => void; lost?: (error: unknown) => void };

/** What the cluster has of all pods of one installation, in memory, kept up by one watch a kind. It may be behind the cluster. */
export type Mirror = {
  /** Whether all kinds were listed once and are being watched. */
  live: () => boolean;
  /** Whether all kinds were listed since the mirror, or the last `relist`, began. */
  complete: () => boolean;
  sight: (ref: PodRef) => Sight;
  /** Reads everything anew, once: the net under the watches. */
  relist: () => void;
  /** How many objects it holds. */
  size: () => number;
  stop: () => Promise<void>;
};

/** Starts to mirror. One channel to the host for each of three kinds is held until `stop`. */
export function openMirror(kubectl: Kubectl, installation: string, { changed, lost }: MirrorListener): Mirror {
  const query = labelled(`${label.managedBy}=podq,${label.installation}=${installation}`);
  const kind = <T extends KubeObject>(path: string): { shelf: Shelf<T>; live: () => boolean; listed: () => boolean } & Reflector => {
    const shelf = createShelf<T>();
    let [live, listed] = [false, false];
    const reflector = reflect<T>(kubectl, path, {
      listed(all) {
        listed = true;
        const other = shelf.replace(all);
        if (other.length > 0) changed(other);
      },
      event({ type, object }) {
        changed([type === "DELETED" ? shelf.drop(object) : shelf.put(object)]);
      },
      live(now, why) {
        live = now;
        if (why !== undefined) lost?.(why);
      },
    });
    const relist = (): void => {
      listed = false;
      reflector.relist();
    };
    return { shelf, live: () => live, listed: () => listed, relist, stop: reflector.stop };
  };
  const namespaces = kind<Namespace>(paths.namespaces(query));
  const deployments = kind<Deployment>(paths.everyDeployment(query));
  const pods = kind<Pod>(paths.everyPod(query));
  const all = [namespaces, deployments, pods];

  return {
    live: () => all.every((one) => one.live() && one.listed()),
    complete: () => all.every((one) => one.listed()),
    sight: (ref) =>
      sightOf(ref, {
        namespace: namespaces.shelf.of(ref.namespace)[0],
        deployments: deployments.shelf.of(ref.namespace),
        pods: pods.shelf.of(ref.namespace),
      }),
    relist: () => all.forEach((one) => one.relist()),
    size: () => all.reduce((sum, { shelf }) => sum + shelf.size(), 0),
    stop: async () => {
      await Promise.all(all.map(async (one) => one.stop()));
    },
  };
}

/** Objects of one kind by their namespace; each change says which namespace is other than before. */
type Shelf<T> = {
  of: (namespace: string) => T[];
  put: (object: T) => string;
  drop: (object: T) => string;
  replace: (all: readonly T[]) => string[];
  size: () => number;
};

function createShelf<T extends KubeObject>(): Shelf<T> {
  let held = new Map<string, Map<string, T>>();
  const put = (into: typeof held, object: T): string => {
    const namespace = namespaceOf(object);
    const there = into.get(namespace) ?? new Map<string, T>();
    into.set(namespace, there.set(object.metadata.uid, slim(object)));
    return namespace;
  };
  const versions = (there: Map<string, T> | undefined): string =>
    [...(there?.values() ?? [])]
      .map(({ metadata: { uid, resourceVersion } }) => `${uid} ${resourceVersion}`)
      .toSorted()
      .join();
  return {
    of: (namespace) => [...(held.get(namespace)?.values() ?? [])],
    put: (object) => put(held, object),
    drop(object) {
      const namespace = namespaceOf(object);
      const there = held.get(namespace);
      there?.delete(object.metadata.uid);
      if (there?.size === 0) held.delete(namespace);
      return namespace;
    },
    replace(all) {
      const before = held;
      held = new Map();
      for (const object of all) put(held, object);
      return [...new Set([...before.keys(), ...held.keys()])].filter((name) => versions(before.get(name)) !== versions(held.get(name)));
    },
    size: () => [...held.values()].reduce((sum, { size }) => sum + size, 0),
  };
}

function namespaceOf({ metadata: { namespace, name } }: KubeObject): string {
  return namespace ?? name;
}

// Who wrote which field is half of an object, and is not read here.
function slim<T extends KubeObject>(object: T): T {
  const { managedFields: _who, ...metadata } = object.metadata as T["metadata"] & { managedFields?: unknown };
  return { ...object, metadata };
}
