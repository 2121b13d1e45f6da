import type { ServerResponse } from "node:http";
import { ApiError } from "./api-error.ts";
import type { KubeObject } from "./object.ts";
import { apiVersion } from "./resources.ts";
import type { Change, Collection, Store } from "./store.ts";

/** What a watch looks at: `since` is a resource version; without one it begins with everything that is there. */
export type WatchOptions = {
  namespace: string | undefined;
  test: (object: KubeObject) => boolean;
  since?: number;
  timeoutMs: number;
  bookmarks: boolean;
  /** Whether the client wants to hear now and then how far it has come. */
  progress: boolean;
};

// A real server says so once a minute.
const PROGRESS_MS = 5_000;

/** Streams the changes of a collection, a JSON document a line, until the time is over or the client goes. */
export function streamChanges(store: Store, of: Collection<KubeObject>, options: WatchOptions, response: ServerResponse): void {
  const { namespace, test, since, timeoutMs } = options;
  const send = (type: string, object: object): void => {
    response.write(`${JSON.stringify({ type, object })}\n`);
  };
  // An object that begins or ceases to match a selector is added or deleted for the one who watches by it.
  const pass = ({ type, object, before, resource }: Change): void => {
    if (resource !== of.resource || (namespace !== undefined && object.metadata.namespace !== namespace)) return;
    const now = type !== "DELETED" && test(object);
    const was = type !== "ADDED" && before !== undefined && test(before);
    if (now) send(was ? "MODIFIED" : "ADDED", object);
    else if (was) send("DELETED", type === "DELETED" ? object : { ...before, metadata: object.metadata });
  };
  response.writeHead(200, { "content-type": "application/json", "cache-control": "no-cache, private" });
  response.flushHeaders();
  try {
    if (since === undefined) for (const object of of.list(namespace).filter(test)) send("ADDED", object);
    else for (const change of store.changesSince(since, of.resource)) pass(change);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    send("ERROR", error.status);
    response.end();
    return;
  }
  if (options.bookmarks && since === undefined) {
    const metadata = {
      resourceVersion: String(store.revision),
      creationTimestamp: null,
      annotations: { "k8s.io/initial-events-end": "true" },
    };
    send("BOOKMARK", { kind: of.resource.kind, apiVersion: apiVersion(of.resource), metadata });
  }
  const stop = store.onChange(pass);
  const timer = setTimeout(() => response.end(), timeoutMs);
  const reached = (): void => {
    const metadata = { resourceVersion: String(store.revision), creationTimestamp: null };
    send("BOOKMARK", { kind: of.resource.kind, apiVersion: apiVersion(of.resource), metadata });
  };
  const progress = options.progress ? setInterval(reached, PROGRESS_MS) : undefined;
  response.once("close", () => {
    clearTimeout(timer);
    clearInterval(progress);
    stop();
  });
}
