import type { KubeObject } from "./object.ts";
import type { Change, Collection, Store } from "./store.ts";

/** Asks for another look at the same object after some time, if nothing else causes one before. */
export type Requeue = (afterMs: number) => void;

/** A controller's loop over the objects of one kind. */
export type Loop = {
  /** Looks at all of them again. */
  kick: () => void;
  stop: () => void;
};

/**
 * Calls `look` for an object whenever it may have changed: `concerns` says which objects of the collection a change anywhere
 * concerns, by namespace and name. Looks at one object at a time; a look that causes changes is followed by another.
 */
export function reconcile<T extends KubeObject>(
  store: Store,
  of: Collection<T>,
  concerns: (change: Change) => { namespace: string | undefined; name: string }[],
  look: (object: T, requeue: Requeue) => void,
): Loop {
  const waiting = new Map<string, { namespace: string | undefined; name: string }>();
  const timers = new Map<string, NodeJS.Timeout>();
  let scheduled = false;
  let stopped = false;
  const enqueue = (namespace: string | undefined, name: string): void => {
    waiting.set(`${namespace ?? ""}/${name}`, { namespace, name });
    if (scheduled || stopped) return;
    scheduled = true;
    setImmediate(work);
  };
  const work = (): void => {
    scheduled = false;
    const due = [...waiting];
    waiting.clear();
    for (const [key, { namespace, name }] of due) {
      const object = stopped ? undefined : of.get(namespace, name);
      if (!object) continue;
      look(object, (afterMs) => {
        clearTimeout(timers.get(key));
        timers.set(
          key,
          setTimeout(() => enqueue(namespace, name), Math.max(1, Math.ceil(afterMs))),
        );
      });
    }
  };
  const unsubscribe = store.onChange((change) => {
    for (const { namespace, name } of concerns(change)) enqueue(namespace, name);
  });
  return {
    kick: () => {
      for (const { metadata } of of.list()) enqueue(metadata.namespace, metadata.name);
    },
    stop: () => {
      stopped = true;
      unsubscribe();
      for (const timer of timers.values()) clearTimeout(timer);
    },
  };
}

/** The objects of a kind that own an object directly, as `concerns` wants them. */
export function ownersOf({ metadata }: KubeObject, kind: string): { namespace: string | undefined; name: string }[] {
  const owners = metadata.ownerReferences ?? [];
  return owners.filter((one) => one.kind === kind).map(({ name }) => ({ namespace: metadata.namespace, name }));
}
