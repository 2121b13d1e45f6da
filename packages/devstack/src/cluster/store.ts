import { randomUUID } from "node:crypto";
import { EventEmitter } from "node:events";
import { isDeepStrictEqual } from "node:util";
import { alreadyExists, ApiError } from "./api-error.ts";
import { timestamp } from "./object.ts";
import type { Claim, Deployment, KubeObject, Namespace, Pod, ReplicaSet, Service, StorageClass } from "./object.ts";
import { RESOURCES } from "./resources.ts";
import type { Resource } from "./resources.ts";

/** A change of one object; `before` is what it was, for a watch by selector. */
export type Change = { type: "ADDED" | "MODIFIED" | "DELETED"; resource: Resource; object: KubeObject; before?: KubeObject };

const REMEMBERED = 5000;

/**
 * All objects of the cluster, in memory. An object in it is never changed in place: a change puts a new one there, with the
 * next resource version, and everyone who listens hears of it before the call returns.
 */
export class Store {
  readonly collections: ReadonlyMap<string, Collection<KubeObject>>;
  readonly deployments: Collection<Deployment>;
  readonly replicaSets: Collection<ReplicaSet>;
  readonly pods: Collection<Pod>;
  readonly services: Collection<Service>;
  readonly namespaces: Collection<Namespace>;
  readonly events: Collection<KubeObject>;
  readonly claims: Collection<Claim>;
  readonly volumes: Collection<KubeObject>;
  readonly classes: Collection<StorageClass>;
  readonly #changes = new EventEmitter<{ change: [Change] }>().setMaxListeners(0);
  readonly #history: Change[] = [];
  #revision = 100;

  constructor() {
    const make = <T extends KubeObject>(plural: string): Collection<T> => new Collection<T>(this, find(plural));
    this.deployments = make("deployments");
    this.replicaSets = make("replicasets");
    this.pods = make("pods");
    this.services = make("services");
    this.namespaces = make("namespaces");
    this.events = make("events");
    this.claims = make("persistentvolumeclaims");
    this.volumes = make("persistentvolumes");
    this.classes = make("storageclasses");
    const workloads: Collection<KubeObject>[] = [this.deployments, this.replicaSets, this.pods, this.services];
    const typed = [...workloads, this.namespaces, this.events, this.claims, this.volumes, this.classes];
    const known = new Set(typed.map((one) => one.resource.plural));
    const rest = RESOURCES.filter((one) => !known.has(one.plural)).map((one) => new Collection(this, one));
    this.collections = new Map([...typed, ...rest].map((one) => [`${one.resource.group}/${one.resource.plural}`, one]));
  }

  get revision(): number {
    return this.#revision;
  }

  nextRevision(): string {
    this.#revision += 1;
    return String(this.#revision);
  }

  announce(change: Change): void {
    this.#history.push(change);
    if (this.#history.length > REMEMBERED) this.#history.shift();
    this.#changes.emit("change", change);
  }

  /** Calls back on every change from now on; the returned function ends that. */
  onChange(listener: (change: Change) => void): () => void {
    this.#changes.on("change", listener);
    return () => this.#changes.off("change", listener);
  }

  /** The changes after a resource version, or an Expired error if they are no longer all remembered. */
  changesSince(revision: number, resource: Resource): Change[] {
    const [oldest] = this.#history;
    if (oldest && this.#history.length === REMEMBERED && Number(oldest.object.metadata.resourceVersion) > revision + 1) {
      throw new ApiError(410, "Expired", `too old resource version: ${revision} (${oldest.object.metadata.resourceVersion})`);
    }
    return this.#history.filter((one) => one.resource === resource && Number(one.object.metadata.resourceVersion) > revision);
  }
}

/** The objects of one kind. */
export class Collection<T extends KubeObject> {
  readonly resource: Resource;
  readonly #store: Store;
  readonly #objects = new Map<string, T>();

  constructor(store: Store, resource: Resource) {
    this.#store = store;
    this.resource = resource;
  }

  get(namespace: string | undefined, name: string): T | undefined {
    return this.#objects.get(`${namespace ?? ""}/${name}`);
  }

  /** All of them, or those of one namespace, by namespace and name. */
  list(namespace?: string): T[] {
    const all = [...this.#objects].filter(([key]) => namespace === undefined || key.startsWith(`${namespace}/`));
    return all.sort(([a], [b]) => (a < b ? -1 : 1)).map(([, object]) => object);
  }

  /** Puts a new object in: uid, creation time and versions are the server's. */
  insert(object: T): T {
    const { name, namespace } = object.metadata;
    if (this.get(namespace, name)) throw alreadyExists(this.resource, name);
    const copy = structuredClone(object);
    copy.metadata = { ...copy.metadata, uid: randomUUID(), creationTimestamp: timestamp(), resourceVersion: this.#store.nextRevision() };
    if (HAS_GENERATION.has(this.resource.kind)) copy.metadata.generation = 1;
    this.#objects.set(`${namespace ?? ""}/${name}`, copy);
    this.#store.announce({ type: "ADDED", resource: this.resource, object: copy });
    return copy;
  }

  /** Changes an object that is there; nothing happens if it is not, or if `edit` changes nothing. */
  update(namespace: string | undefined, name: string, edit: (draft: T) => void): T | undefined {
    const before = this.get(namespace, name);
    if (!before) return undefined;
    const draft = structuredClone(before);
    edit(draft);
    if (isDeepStrictEqual(before, draft)) return before;
    if (before.metadata.generation !== undefined && isNewGeneration(before, draft))
      draft.metadata.generation = before.metadata.generation + 1;
    draft.metadata.resourceVersion = this.#store.nextRevision();
    this.#objects.set(`${namespace ?? ""}/${name}`, draft);
    this.#store.announce({ type: "MODIFIED", resource: this.resource, object: draft, before });
    return draft;
  }

  /** Takes an object out, whatever holds it. */
  remove(namespace: string | undefined, name: string): void {
    const before = this.get(namespace, name);
    if (!before) return;
    this.#objects.delete(`${namespace ?? ""}/${name}`);
    const object = structuredClone(before);
    object.metadata.resourceVersion = this.#store.nextRevision();
    this.#store.announce({ type: "DELETED", resource: this.resource, object, before });
  }
}

const HAS_GENERATION = new Set(["Deployment", "ReplicaSet", "Pod", "Ingress", "NetworkPolicy"]);

function isNewGeneration(before: KubeObject, after: KubeObject): boolean {
  const becameDeleted = before.metadata.deletionTimestamp === undefined && after.metadata.deletionTimestamp !== undefined;
  return (
    becameDeleted ||
    !isDeepStrictEqual(before.spec, after.spec) ||
    (after.kind === "Deployment" && !isDeepStrictEqual(notes(before), notes(after)))
  );
}

// A Deployment's annotations count as much as its spec, but for those that its controller writes together with the status.
function notes({ metadata: { annotations = {} } }: KubeObject): object {
  return Object.fromEntries(Object.entries(annotations).filter(([key]) => !key.startsWith("deployment.kubernetes.io/")));
}

function find(plural: string): Resource {
  const found = RESOURCES.find((one) => one.plural === plural);
  if (!found) throw new TypeError(`no resource ${plural}`);
  return found;
}
