import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { setTimeout as wait } from "node:timers/promises";
import { ApiError, noSuchPath } from "./api-error.ts";
import type { Api } from "./api.ts";
import { execQuery, execTarget, PlainError } from "./exec-target.ts";
import { serveExec } from "./exec.ts";
import { createHandler } from "./handler.ts";
import type { Kubelet } from "./kubelet.ts";
import { openApiDocument, openApiIndex } from "./openapi.ts";
import { readProtobuf } from "./protobuf.ts";
import { aggregatedDiscovery, groupList, resourceList } from "./resources.ts";
import { readRoute } from "./route.ts";
import type { Script } from "./script.ts";
import type { Store } from "./store.ts";

/** The HTTP side of the API server. `pause` refuses and cuts all connections until `resume`, as a server that is down does. */
export type ApiServer = { port: number; pause: () => Promise<void>; resume: () => Promise<void>; stop: () => Promise<void> };

/** Serves the API on loopback, in plain HTTP. */
export async function serveApi(of: { store: Store; api: Api; script: Script; kubelet: Kubelet; port: number }): Promise<ApiServer> {
  const { store, script, kubelet } = of;
  const handle = createHandler(of);
  const respond = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const url = new URL(request.url ?? "/", "http://cluster");
    const raw = await readBody(request);
    const isProtobuf = request.headers["content-type"] === "application/vnd.kubernetes.protobuf" && raw.length > 0;
    const body = isProtobuf ? JSON.stringify(readProtobuf(raw)) : raw.toString();
    const fixed = document(url.pathname, request.headers.accept ?? "");
    if (fixed) {
      response.writeHead(200, { "content-type": fixed.type ?? "application/json" }).end(JSON.stringify(fixed.body));
      return;
    }
    const route = readRoute(store, request.method ?? "GET", url);
    const fault = script.take("request", { verb: route.verb, resource: route.collection.resource.plural, namespace: route.namespace });
    if (fault?.delayMs) await wait(fault.delayMs);
    if (fault?.drop) response.destroy();
    else if (fault?.error) throw new ApiError(fault.error.code, fault.error.reason, fault.error.message);
    else await handle(route, url, request, response, body);
  };
  const http = createServer((request, response) => {
    respond(request, response).catch((error: unknown) => sendError(response, error));
  });
  const exec = serveExec(http, script, (url) => {
    const { namespace = "", name = "", subresource } = readRoute(store, "GET", url);
    if (subresource !== "exec") throw noSuchPath();
    const fault = script.take("request", { verb: "exec", resource: "pods", namespace });
    if (fault?.error) throw new ApiError(fault.error.code, fault.error.reason, fault.error.message);
    const query = execQuery(url.searchParams);
    return { sandbox: execTarget(store, kubelet, namespace, name, query), query, namespace };
  });
  const port = await listen(http, of.port);
  const pause = (): Promise<void> =>
    new Promise((resolve) => {
      http.close(() => resolve());
      http.closeAllConnections();
      exec.cut();
    });
  return {
    port,
    pause,
    resume: async () => {
      await listen(http, port);
    },
    stop: async () => {
      exec.stop();
      if (http.listening) await pause();
    },
  };
}

function listen(http: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    http.once("error", reject);
    http.listen(port, "127.0.0.1", () => {
      http.off("error", reject);
      const address = http.address();
      resolve(typeof address === "object" && address ? address.port : port);
    });
  });
}

const VERSION = {
  major: "1",
  minor: "36",
  gitVersion: "v1.36.3",
  gitCommit: "",
  gitTreeState: "",
  buildDate: "1970-01-01T00:00:00Z",
  goVersion: "",
  compiler: "",
  platform: "linux/amd64",
};

// kubectl asks these before it knows what to ask for.
function document(path: string, accept: string): { body: object; type?: string } | undefined {
  const aggregated = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
  const wanted = accept.includes("APIGroupDiscoveryList");
  if (path === "/version") return { body: VERSION };
  if (path === "/healthz" || path === "/readyz" || path === "/livez") return { body: { status: "ok" } };
  if (path === "/api")
    return wanted ? { body: aggregatedDiscovery(true), type: aggregated } : { body: { kind: "APIVersions", versions: ["v1"] } };
  if (path === "/apis") return wanted ? { body: aggregatedDiscovery(false), type: aggregated } : { body: groupList() };
  if (path === "/openapi/v3") return { body: openApiIndex() };
  const schemas = path.startsWith("/openapi/v3/") ? openApiDocument(path.slice(12)) : undefined;
  if (schemas) return { body: schemas };
  const group = path === "/api/v1" ? "" : /^\/apis\/([^/]+)\/v1$/.exec(path)?.[1];
  const body = group === undefined ? undefined : resourceList(group);
  return body && { body };
}

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function sendError(response: ServerResponse, error: unknown): void {
  if (response.headersSent || response.destroyed) {
    response.destroy();
  } else if (error instanceof PlainError) {
    response.writeHead(error.httpCode, { "content-type": "text/plain; charset=utf-8" }).end(error.message);
  } else {
    const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
    const known = error instanceof ApiError ? error : new ApiError(500, "InternalError", `Internal error occurred: ${message}`);
    response.writeHead(known.httpCode, { "content-type": "application/json" }).end(JSON.stringify(known.status));
  }
}
