import { noSuchPath } from "./api-error.ts";
import type { KubeObject } from "./object.ts";
import type { Collection, Store } from "./store.ts";

/** What a request wants of what. */
export type Route = {
  verb: string;
  collection: Collection<KubeObject>;
  namespace: string | undefined;
  name?: string;
  subresource?: string;
};

const VERBS: Record<string, string> = { POST: "create", PUT: "update", PATCH: "patch", DELETE: "delete" };

/** Reads the method and path of a request; throws NotFound for a path that leads nowhere. */
export function readRoute(store: Store, method: string, url: URL): Route {
  const core = /^\/api\/v1\/(.+)$/.exec(url.pathname);
  const inGroup = /^\/apis\/([^/]+)\/v1\/(.+)$/.exec(url.pathname);
  const [group, rest] = core ? ["", core[1]] : [inGroup?.[1], inGroup?.[2]];
  if (group === undefined || rest === undefined) throw noSuchPath();
  const steps = rest
    .split("/")
    .filter((step) => step !== "")
    .map(decodeURIComponent);
  const isWithin = steps[0] === "namespaces" && steps.length > 2 && steps[2] !== "status" && steps[2] !== "finalize";
  const [plural = "", name, subresource] = isWithin ? steps.slice(2) : steps;
  const collection = store.collections.get(`${group}/${plural}`);
  if (!collection || steps.length > (isWithin ? 5 : 3)) throw noSuchPath();
  const isWatch = url.searchParams.get("watch") === "true" || url.searchParams.get("watch") === "1";
  const reading = isWatch ? "watch" : name === undefined ? "list" : "get";
  const writing = method === "DELETE" && name === undefined ? "deletecollection" : VERBS[method];
  const verb = subresource === "exec" ? "exec" : (writing ?? reading);
  const named = { ...(name === undefined ? {} : { name }), ...(subresource === undefined ? {} : { subresource }) };
  return { verb, collection, namespace: isWithin ? steps[1] : undefined, ...named };
}
