import { deleteObject } from "./deletion.ts";
import { withCondition } from "./object.ts";
import type { Condition, KubeObject, Namespace } from "./object.ts";
import type { Requeue } from "./reconcile.ts";
import type { Script } from "./script.ts";
import type { Collection, Store } from "./store.ts";

/**
 * The namespace controller: empties a namespace that is terminating and takes it away when nothing is left in it. `due` is
 * when it may begin, in ms since the epoch: the deletion timestamp has whole seconds only, too coarse for a short delay.
 */
export function reconcileNamespace(store: Store, script: Script, namespace: Namespace, due: number, requeue: Requeue): void {
  const { name } = namespace.metadata;
  // The real controller lets 5 s pass first, in which everything in the namespace lives on.
  if (due > Date.now()) return requeue(due - Date.now());
  const fault = script.take("finalize", { namespace: name });
  const rest = [...store.collections.values()].filter((one) => one.resource.namespaced);
  for (const from of rest) {
    for (const object of from.list(name)) if (object.metadata.deletionTimestamp === undefined) deleteObject(store, from, object);
  }
  const left = rest.flatMap((from) => from.list(name).map((object) => ({ from, object })));
  if (left.length === 0 && !fault && (namespace.metadata.finalizers ?? []).length === 0) {
    store.namespaces.remove(undefined, name);
    return undefined;
  }
  store.namespaces.update(undefined, name, (draft) => {
    draft.status = { phase: "Terminating", conditions: terminating(draft.status.conditions, left, fault?.message) };
  });
  return requeue(100);
}

type Left = { from: Collection<KubeObject>; object: KubeObject };

function terminating(old: readonly Condition[] | undefined, left: readonly Left[], fault: string | undefined): Condition[] {
  const plural = [...new Set(left.map(({ from }) => from.resource.plural))];
  const counts = plural.map((name) => `${name}. has ${left.filter(({ from }) => from.resource.plural === name).length} resource instances`);
  const finalizers = left.flatMap(({ object }) => object.metadata.finalizers ?? []);
  const held = [...new Set(finalizers)].map((name) => `${name} in ${finalizers.filter((one) => one === name).length} resource instances`);
  const remaining = fault ?? (left.length > 0 ? `Some resources are remaining: ${counts.join(", ")}` : undefined);
  const content: Condition = remaining
    ? { type: "NamespaceContentRemaining", status: "True", reason: "SomeResourcesRemain", message: remaining }
    : { type: "NamespaceContentRemaining", status: "False", reason: "ContentRemoved", message: "All content successfully removed" };
  const finalizer: Condition =
    held.length > 0
      ? {
          type: "NamespaceFinalizersRemaining",
          status: "True",
          reason: "SomeFinalizersRemain",
          message: `Some content in the namespace has finalizers remaining: ${held.join(", ")}`,
        }
      : {
          type: "NamespaceFinalizersRemaining",
          status: "False",
          reason: "ContentHasNoFinalizers",
          message: "All content-preserving finalizers finished",
        };
  const steady: Condition[] = [
    {
      type: "NamespaceDeletionDiscoveryFailure",
      status: "False",
      reason: "ResourcesDiscovered",
      message: "All resources successfully discovered",
    },
    {
      type: "NamespaceDeletionGroupVersionParsingFailure",
      status: "False",
      reason: "ParsedGroupVersions",
      message: "All legacy kube types successfully parsed",
    },
    {
      type: "NamespaceDeletionContentFailure",
      status: "False",
      reason: "ContentDeleted",
      message: "All content successfully deleted, may be waiting on finalization",
    },
  ];
  return [...steady, content, finalizer].reduce<Condition[]>((list, one) => withCondition(list, one), [...(old ?? [])]);
}
