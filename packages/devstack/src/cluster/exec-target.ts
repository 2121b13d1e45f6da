import { badRequest, notFound } from "./api-error.ts";
import type { Kubelet } from "./kubelet.ts";
import type { Sandbox } from "./sandbox.ts";
import type { Store } from "./store.ts";

/** What an exec asks for, from the query of its URL. */
export type ExecQuery = { command: string[]; container: string | undefined; stdin: boolean; stdout: boolean; stderr: boolean };

/** An error that the node answers with, as text: the API server passes it on as it is. */
export class PlainError extends Error {
  readonly httpCode: number;

  constructor(httpCode: number, message: string) {
    super(message);
    this.httpCode = httpCode;
  }
}

/** Reads the query of an exec. */
export function execQuery(query: URLSearchParams): ExecQuery {
  const flag = (name: string): boolean => query.get(name) === "true" || query.get(name) === "1";
  const container = query.get("container") ?? undefined;
  return { command: query.getAll("command"), container, stdin: flag("stdin"), stdout: flag("stdout"), stderr: flag("stderr") };
}

/** The container that an exec means, or the error that a real cluster answers with before it upgrades the connection. */
export function execTarget(store: Store, kubelet: Kubelet, namespace: string, name: string, query: ExecQuery): Sandbox {
  const pod = store.pods.get(namespace, name);
  if (!pod) throw notFound(store.pods.resource, name);
  const container = query.container ?? pod.spec.containers[0]?.name ?? "";
  if (!pod.spec.containers.some((one) => one.name === container)) throw badRequest(`container ${container} is not valid for pod ${name}`);
  if (pod.spec.nodeName === undefined) throw badRequest(`pod ${name} does not have a host assigned`);
  const isOver = pod.status.phase === "Failed" || pod.status.phase === "Succeeded";
  const sandbox = isOver ? undefined : kubelet.sandbox(pod.metadata.uid);
  if (!sandbox) throw new PlainError(500, `container not found ("${container}")`);
  return sandbox;
}
