import { marksOf, resourcesOf } from "./differs.ts";
import type { PodField } from "./differs.ts";
import type { KubeCode } from "./errors.ts";
import { urlOf } from "./ingress.ts";
import type { Resources } from "./manifest.ts";
import { annotation } from "./names.ts";
import { publicationOf } from "./ports.ts";
import type { Access, Port } from "./ports.ts";
import type { Deployment, Namespace, NetworkPolicy, Pod, Service } from "./objects.ts";
import { restartsOf } from "./restarts.ts";
import type { Restarts } from "./restarts.ts";
import { containerOf, currentPod, judge } from "./verdict.ts";
import type { Verdict } from "./verdict.ts";

/** What of a pod stands on the cluster. */
export type PodObjects = {
  namespace?: Namespace | undefined;
  deployment?: Deployment | undefined;
  service?: Service | undefined;
  policy?: Pick<NetworkPolicy, "spec"> | undefined;
  pods: readonly Pod[];
};

/** What of a pod can be reached from elsewhere. `url`: of a port that is reached otherwise than at its node port. */
type PublishedPorts = { access?: Access; nodePort?: number; ports: (Port & { nodePort?: number; url?: string })[] };

/** What is there of a pod at one moment, as a record keeps it. */
export type PodObservation = {
  /** `created`: being started. `absent`: no Deployment of that name (or not the one meant). */
  status: "created" | "running" | "stopped" | "error" | "absent";
  namespace: string;
  namespaceUid?: string;
  deployment: string;
  deploymentUid?: string;
  podName?: string;
  podUid?: string;
  /** Changes whenever the container was started anew, also within one pod. */
  containerId?: string;
  image?: string;
  resources?: Resources;
  service: PublishedPorts;
  /** Address of the node on which it runs: the node port answers there. */
  nodeAddress?: string;
  /** Where it is other than asked; always empty when nothing was asked. */
  differs: PodField[];
  /** What a create has changed of a pod that was there; empty for everything else. */
  updated: PodField[];
  /** A mark of each field of its spec, to tell by that somebody changed it. */
  marks?: Record<string, string>;
  startedAt?: Date;
  /** Of the current pod's container. */
  restarts?: Restarts;
  error?: { code: KubeCode; message: string };
};

type Knowledge = { differs?: PodField[]; updated?: PodField[]; verdict?: Verdict };

/** Puts together what the objects say; `verdict` is theirs unless the caller knows more. */
export function observationOf(
  names: { namespace: string; deployment: string },
  objects: PodObjects,
  { differs = [], updated = [], verdict = judge(objects.deployment, objects.pods) }: Knowledge = {},
): PodObservation {
  const { namespace, deployment, service } = objects;
  const pod = deployment && currentPod(deployment, objects.pods);
  const container = containerOf(pod);
  const startedAt = container?.state?.running?.startedAt;
  return {
    status: statuses[verdict.kind],
    namespace: names.namespace,
    deployment: names.deployment,
    service: service === undefined ? { ports: [] } : portsOf(service),
    differs,
    updated,
    ...optional({
      namespaceUid: namespace?.metadata.uid,
      deploymentUid: deployment?.metadata.uid,
      podName: pod?.metadata.name,
      podUid: pod?.metadata.uid,
      containerId: container?.containerID,
      image: deployment?.spec.template.spec.containers[0]?.image,
      resources: deployment && resourcesOf(deployment),
      nodeAddress: pod?.status?.hostIP,
      marks: deployment && marksOf(deployment),
      startedAt: startedAt === undefined ? undefined : new Date(startedAt),
      restarts: restartsOf(pod),
      error: verdict.kind === "failed" ? { code: verdict.code, message: verdict.message || verdict.code } : undefined,
    }),
  };
}

function portsOf(service: Service): PublishedPorts {
  const { access, ports } = publicationOf(service);
  const { name, namespace = "", annotations } = service.metadata;
  const template = annotations?.[annotation.url];
  const urlOfPort = (port: Port): string | undefined => {
    if (access === "nodePort" || port.protocol !== "TCP") return undefined;
    return template === undefined ? `http://${name}.${namespace}.svc:${port.port}` : urlOf(template, port.name);
  };
  const nodePorts = (service.spec.ports ?? []).map(({ nodePort }) => nodePort);
  return {
    access,
    ports: ports.map((port, index) => ({ ...port, ...optional({ nodePort: nodePorts[index], url: urlOfPort(port) }) })),
    ...optional({ nodePort: nodePorts[0] }),
  };
}

const statuses = { absent: "absent", stopped: "stopped", starting: "created", running: "running", failed: "error" } as const;

type Present<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

// Leaves out what is undefined, as the optional fields want it.
function optional<T extends object>(fields: T): Present<T> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Present<T>;
}
