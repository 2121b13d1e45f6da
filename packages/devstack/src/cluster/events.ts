import { isDeepStrictEqual } from "node:util";
import { timestamp } from "./object.ts";
import type { JsonMap, KubeObject } from "./object.ts";
import type { Store } from "./store.ts";

/** What an event says: `component` is who says it, `fieldPath` which container it is about. */
export type EventFacts = { type: "Normal" | "Warning"; reason: string; message: string; component: string; fieldPath?: string };

const HOST = "n1";

/** Records an event about an object; one that says the same of the same again is counted, not repeated. */
export function recordEvent(store: Store, about: KubeObject, facts: EventFacts): void {
  const { namespace = "default", name, uid } = about.metadata;
  if (store.namespaces.get(undefined, namespace)?.metadata.deletionTimestamp) return;
  const fieldPath = facts.fieldPath ? { fieldPath: facts.fieldPath } : {};
  const involvedObject: JsonMap = { kind: about.kind, namespace, name, uid, apiVersion: about.apiVersion, ...fieldPath };
  const same = store.events.list(namespace).find((one) => {
    return isDeepStrictEqual(one.involvedObject, involvedObject) && one.reason === facts.reason && one.message === facts.message;
  });
  const now = timestamp();
  if (same) {
    store.events.update(namespace, same.metadata.name, (draft) => {
      draft.count = Number(draft.count) + 1;
      draft.lastTimestamp = now;
    });
    return;
  }
  const onNode = facts.component === "kubelet";
  store.events.insert({
    apiVersion: "v1",
    kind: "Event",
    metadata: {
      name: `${name}.${store.revision.toString(16).padStart(16, "0")}`,
      namespace,
      uid: "",
      resourceVersion: "",
      creationTimestamp: "",
    },
    involvedObject,
    reason: facts.reason,
    message: facts.message,
    type: facts.type,
    count: 1,
    eventTime: null,
    firstTimestamp: now,
    lastTimestamp: now,
    source: { component: facts.component, ...(onNode ? { host: HOST } : {}) },
    reportingComponent: facts.component,
    reportingInstance: onNode ? HOST : "",
  });
}
