import { conflict } from "./api-error.ts";
import { timestamp } from "./object.ts";
import type { KubeObject } from "./object.ts";
import type { Collection, Store } from "./store.ts";

/** The body of a delete, as far as it is heeded here. */
export type DeleteOptions = {
  gracePeriodSeconds?: number;
  propagationPolicy?: "Background" | "Foreground" | "Orphan";
  preconditions?: { uid?: string; resourceVersion?: string };
};

/** What a delete answers: the object, if it is still there and on its way out, or nothing more than that it is gone. */
export type Deleted = { gone: true; uid: string } | { gone: false; object: KubeObject };

/** Deletes an object as the API server does: at once, or marked and left to whoever has to end it first. */
export function deleteObject(store: Store, from: Collection<KubeObject>, object: KubeObject, options: DeleteOptions = {}): Deleted {
  checkPreconditions(from, object, options);
  const { namespace, name, uid } = object.metadata;
  const mark = (grace: number | undefined, finalizer?: string): Deleted => {
    const marked = from.update(namespace, name, (draft) => {
      const until = new Date(Date.now() + (grace ?? 0) * 1000);
      draft.metadata.deletionTimestamp ??= timestamp(until);
      if (grace !== undefined)
        draft.metadata.deletionGracePeriodSeconds = Math.min(draft.metadata.deletionGracePeriodSeconds ?? grace, grace);
      if (finalizer && !draft.metadata.finalizers?.includes(finalizer)) (draft.metadata.finalizers ??= []).push(finalizer);
      if (draft.kind === "Namespace") draft.status = { ...draft.status, phase: "Terminating" };
    });
    return { gone: false, object: marked ?? object };
  };
  if (object.kind === "Namespace") return mark(undefined);
  if (object.kind === "Pod") {
    const started = typeof object.spec?.nodeName === "string";
    const usual = Number(object.spec?.terminationGracePeriodSeconds ?? 30);
    const grace = options.gracePeriodSeconds ?? usual;
    if (started && grace > 0) return mark(grace);
  }
  if (options.propagationPolicy === "Orphan") orphan(store, uid);
  if (options.propagationPolicy === "Foreground" && dependents(store, uid).length > 0) {
    const answer = mark(0, "foregroundDeletion");
    deleteDependents(store, uid, "Foreground");
    return answer;
  }
  if ((object.metadata.finalizers ?? []).length > 0) return mark(0);
  from.remove(namespace, name);
  return { gone: true, uid };
}

function checkPreconditions(from: Collection<KubeObject>, object: KubeObject, { preconditions }: DeleteOptions): void {
  const { name, uid, resourceVersion } = object.metadata;
  const { kind, group } = from.resource;
  if (preconditions?.uid !== undefined && preconditions.uid !== uid) {
    const wanted = preconditions.uid;
    if (kind === "Namespace")
      throw conflict(from.resource, name, `Precondition failed: UID in precondition: ${wanted}, UID in object meta: ${uid}`);
    const why = `the UID in the precondition (${wanted}) does not match the UID in record (${uid}). The object might have been deleted and then recreated`;
    throw conflict({ group, plural: kind, kind }, name, why);
  }
  if (preconditions?.resourceVersion !== undefined && preconditions.resourceVersion !== resourceVersion) {
    const why = `the ResourceVersion in the precondition (${preconditions.resourceVersion}) does not match the ResourceVersion in record (${resourceVersion})`;
    throw conflict({ group, plural: kind, kind }, name, `${why}. The object might have been modified`);
  }
}

type Dependent = { from: Collection<KubeObject>; object: KubeObject };

function dependents(store: Store, uid: string): Dependent[] {
  return [...store.collections.values()].flatMap((from) =>
    from
      .list()
      .filter((object) => object.metadata.ownerReferences?.some((owner) => owner.uid === uid))
      .map((object) => ({ from, object })),
  );
}

function deleteDependents(store: Store, uid: string, propagationPolicy: "Background" | "Foreground"): void {
  for (const { from, object } of dependents(store, uid)) {
    if (object.metadata.deletionTimestamp === undefined) deleteObject(store, from, object, { propagationPolicy });
  }
}

function orphan(store: Store, uid: string): void {
  for (const { from, object } of dependents(store, uid)) {
    from.update(object.metadata.namespace, object.metadata.name, (draft) => {
      draft.metadata.ownerReferences = (draft.metadata.ownerReferences ?? []).filter((owner) => owner.uid !== uid);
    });
  }
}

/** The garbage collector: what belongs to nobody any more goes too, and who waited for its dependents goes after them. */
export function collectGarbage(store: Store): () => void {
  return store.onChange(({ type, object }) => {
    if (type === "DELETED") {
      deleteDependents(store, object.metadata.uid, "Background");
      for (const owner of object.metadata.ownerReferences ?? []) finishForeground(store, owner.uid);
    }
  });
}

function finishForeground(store: Store, uid: string): void {
  for (const from of store.collections.values()) {
    const owner = from.list().find((one) => one.metadata.uid === uid && one.metadata.finalizers?.includes("foregroundDeletion"));
    if (!owner || dependents(store, uid).length > 0) continue;
    dropFinalizer(from, owner, "foregroundDeletion");
  }
}

/** Takes a finalizer off an object; if it was the last of one that is marked for deletion, the object goes. */
export function dropFinalizer(from: Collection<KubeObject>, { metadata }: KubeObject, finalizer: string): void {
  const left = from.update(metadata.namespace, metadata.name, (draft) => {
    draft.metadata.finalizers = (draft.metadata.finalizers ?? []).filter((one) => one !== finalizer);
  });
  if (left) removeIfDone(from, left);
}

/** Removes an object that was marked for deletion and that nothing holds any more. Pods and namespaces have somebody who ends them. */
export function removeIfDone(from: Collection<KubeObject>, { kind, metadata }: KubeObject): void {
  if (metadata.deletionTimestamp === undefined || (metadata.finalizers ?? []).length > 0) return;
  if (kind !== "Pod" && kind !== "Namespace") from.remove(metadata.namespace, metadata.name);
}
