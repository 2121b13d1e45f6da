import type { IncomingMessage, ServerResponse } from "node:http";
import type { Api, Write } from "./api.ts";
import { ApiError, badRequest, methodNotAllowed, notFound } from "./api-error.ts";
import type { Deleted } from "./deletion.ts";
import { execQuery, execTarget } from "./exec-target.ts";
import type { Kubelet } from "./kubelet.ts";
import { isMap } from "./object.ts";
import type { KubeObject } from "./object.ts";
import { apiVersion } from "./resources.ts";
import type { Route } from "./route.ts";
import { scaleOf, withScale } from "./scale.ts";
import { parseFieldSelector, parseLabelSelector } from "./selector.ts";
import type { Collection, Store } from "./store.ts";
import { asTable } from "./table.ts";
import { streamChanges } from "./watch.ts";
import type { WatchOptions } from "./watch.ts";

const JSON_HEADERS = { "content-type": "application/json", "cache-control": "no-cache, private" };

/** Answers one request of which the route is known. Throws an ApiError for what is refused. */
export type Handler = (route: Route, url: URL, request: IncomingMessage, response: ServerResponse, body: string) => Promise<void>;

/** Makes the handler of all requests for objects. */
export function createHandler({ store, api, kubelet }: { store: Store; api: Api; kubelet: Kubelet }): Handler {
  return async (route, url, request, response, body) => {
    const { collection, verb, namespace, name = "", subresource } = route;
    const query = url.searchParams;
    const warnings: string[] = [];
    const write: Write = {
      namespace,
      manager: query.get("fieldManager") ?? (request.headers["user-agent"] ?? "unknown").split("/")[0] ?? "unknown",
      dryRun: query.has("dryRun"),
      warn: (text) => warnings.push(`299 - ${JSON.stringify(text)}`),
    };
    const reply = (code: number, object: object): void => {
      if (warnings.length > 0) response.setHeader("warning", warnings);
      response.writeHead(code, JSON_HEADERS).end(`${JSON.stringify(object)}\n`);
    };
    const asTables = /as=Table/.test(request.headers.accept ?? "");
    const version = String(store.revision);
    const found = (): KubeObject => present(collection, namespace, name);
    if (subresource === "exec") {
      execTarget(store, kubelet, namespace ?? "", name, execQuery(query));
      throw badRequest("this server speaks WebSockets here, no SPDY");
    }
    if (subresource === "log") {
      response.writeHead(200, { "content-type": "text/plain" }).end(await podLog(kubelet, found()));
      return;
    }
    if (subresource === "scale") {
      const patch = (): KubeObject => api.patch(collection, name, withScale(parse(body)), "application/merge-patch+json", write);
      reply(200, scaleOf(verb === "get" ? found() : patch()));
      return;
    }
    switch (verb) {
      case "get":
        reply(200, asTables ? asTable(collection.resource, [found()], version) : found());
        break;
      case "list": {
        const { items, metadata } = pageOf(collection.list(namespace).filter(selection(collection, query)), query);
        const whole = {
          kind: `${collection.resource.kind}List`,
          apiVersion: apiVersion(collection.resource),
          metadata: { resourceVersion: version, ...metadata },
          items,
        };
        reply(200, asTables ? asTable(collection.resource, items, version) : whole);
        break;
      }
      case "watch":
        streamChanges(store, collection, watchOptions(collection, namespace, query, name), response);
        break;
      case "create":
        reply(201, api.create(collection, parse(body), write));
        break;
      case "update":
        reply(200, api.replace(collection, name, parse(body), write, subresource));
        break;
      case "patch": {
        const [type = ""] = (request.headers["content-type"] ?? "").split(";");
        if (type === "application/apply-patch+yaml") {
          const { created, object } = api.applyPatch(collection, name, parse(body), query.get("force") === "true", write);
          reply(created ? 201 : 200, object);
        } else reply(200, api.patch(collection, name, parse(body), type, write, subresource));
        break;
      }
      case "delete": {
        const options = body.trim() === "" ? {} : parse(body);
        reply(200, deleted(collection, name, api.remove(collection, name, isMap(options) ? options : {}, write)));
        break;
      }
      case "deletecollection": {
        const all = collection.list(namespace).filter(selection(collection, query));
        for (const { metadata } of all) api.remove(collection, metadata.name, {}, { ...write, namespace: metadata.namespace });
        reply(200, { kind: "Status", apiVersion: "v1", metadata: {}, status: "Success" });
        break;
      }
      default:
        throw methodNotAllowed();
    }
  };
}

function present(collection: Collection<KubeObject>, namespace: string | undefined, name: string): KubeObject {
  const found = collection.get(namespace, name);
  if (!found) throw notFound(collection.resource, name);
  return found;
}

async function podLog(kubelet: Kubelet, pod: KubeObject): Promise<string> {
  const sandbox = kubelet.sandbox(pod.metadata.uid);
  if (sandbox) return sandbox.log();
  throw new ApiError(400, "BadRequest", `container in pod "${pod.metadata.name}" is not running: here its log goes with it`);
}

function selection({ resource }: Collection<KubeObject>, query: URLSearchParams): (object: KubeObject) => boolean {
  const labels = parseLabelSelector(query.get("labelSelector") ?? "");
  const gvk = `${resource.group}/${resource.version}, Resource=${resource.plural}`;
  const fields = parseFieldSelector(query.get("fieldSelector") ?? "", resource.plural, gvk);
  return (object) => labels(object.metadata.labels ?? {}) && fields(object);
}

// A page of a list, and where the next one begins: behind the last of this one.
function pageOf(all: readonly KubeObject[], query: URLSearchParams): { items: KubeObject[]; metadata: object } {
  const limit = Number(query.get("limit") ?? 0) || all.length;
  const after = Buffer.from(query.get("continue") ?? "", "base64url").toString();
  const rest = all.filter((one) => keyOf(one) > after);
  const items = rest.slice(0, limit);
  const last = items.at(-1);
  if (last === undefined || rest.length === items.length) return { items, metadata: {} };
  return { items, metadata: { continue: Buffer.from(keyOf(last)).toString("base64url"), remainingItemCount: rest.length - items.length } };
}

function keyOf({ metadata }: KubeObject): string {
  return `${metadata.namespace ?? ""}/${metadata.name}`;
}

function watchOptions(
  collection: Collection<KubeObject>,
  namespace: string | undefined,
  query: URLSearchParams,
  name: string,
): WatchOptions {
  const matches = selection(collection, query);
  const version = query.get("resourceVersion") ?? "";
  const bookmarks = query.get("sendInitialEvents") === "true";
  const since = version === "" || version === "0" || bookmarks ? {} : { since: Number(version) };
  const timeoutMs = Number(query.get("timeoutSeconds") ?? 1800) * 1000;
  const test = (object: KubeObject): boolean => matches(object) && (name === "" || object.metadata.name === name);
  return { namespace, test, ...since, timeoutMs, bookmarks, progress: query.get("allowWatchBookmarks") === "true" };
}

function deleted({ resource }: Collection<KubeObject>, name: string, result: Deleted): object {
  if (!result.gone) return result.object;
  const group = resource.group ? { group: resource.group } : {};
  return {
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Success",
    details: { name, ...group, kind: resource.plural, uid: result.uid },
  };
}

function parse(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    throw badRequest("the body of the request is no JSON");
  }
}
