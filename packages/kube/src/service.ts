import { KubeError } from "./errors.ts";
import { fencedMetadata } from "./fence.ts";
import { ingressOf, podUrl, refuseUdp } from "./ingress.ts";
import type { IngressSettings } from "./ingress.ts";
import { paths } from "./kubectl.ts";
import { annotation, annotationsOf, label, labelsOf } from "./names.ts";
import type { PodIdentity } from "./names.ts";
import { openedAt } from "./network.ts";
import type { Ingress, NetworkPolicy, Service } from "./objects.ts";
import type { Publication } from "./ports.ts";
import type { Scaling } from "./scale.ts";

/** What an object that is written says of itself, see {@link fencedMetadata}. */
type Metadata = { resourceVersion?: string; annotations?: Record<string, string> };

/** The Service of a pod. Throws KubeError `invalid-request` for an ingress where there is none, or that cannot carry the ports. */
export function serviceOf(
  identity: PodIdentity,
  { access, ports, exposed }: Publication,
  ingress: IngressSettings | undefined,
  metadata: Metadata = {},
): { apiVersion: string; kind: string; metadata: object; spec: Service["spec"] } {
  if (access === "ingress") refuseUdp(ports);
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: {
      ...metadata,
      name: identity.service,
      namespace: identity.namespace,
      labels: labelsOf(identity),
      annotations: {
        ...metadata.annotations,
        ...annotationsOf(identity),
        ...(exposed.length === 0 ? {} : { [annotation.exposed]: exposed.join(" ") }),
        ...(access === "ingress" ? { [annotation.url]: podUrl(settingsOf(ingress), identity) } : {}),
      },
    },
    spec: {
      type: access === "nodePort" ? "NodePort" : "ClusterIP",
      selector: { [label.pod]: identity.hash },
      ports: ports.map(({ name, port, protocol }) => ({ name, port, targetPort: port, protocol })),
    },
  };
}

/** Makes the Service what it is to be, if it is still as it was looked at, and the Ingress after it. */
export async function publish(scaling: Scaling, there: Service | undefined, publication: Publication): Promise<Service> {
  const metadata = fencedMetadata(scaling.fence, there);
  const service = await apply<Service>(scaling, serviceOf(scaling.identity, publication, scaling.ingress, metadata));
  const { kubectl, identity, bounds } = scaling;
  const policy = await kubectl.getRaw<NetworkPolicy>(paths.networkPolicy(identity.namespace, identity.deployment), bounds);
  const opened = policy && openedAt(identity, policy, service);
  if (opened !== undefined) await apply(scaling, opened);
  await followIngress(scaling, there, publication);
  return service;
}

/** Makes the Ingress what the Service asks for; one that is not wanted any more is deleted. Nothing is asked where none is or was. */
export async function followIngress(scaling: Scaling, before: Service | undefined, publication: Publication): Promise<void> {
  const { kubectl, identity, fence, ingress, bounds } = scaling;
  const wanted = publication.access === "ingress";
  if (!wanted && before?.metadata.annotations?.[annotation.url] === undefined) return;
  const path = paths.ingress(identity.namespace, identity.service);
  const there = await kubectl.getRaw<Ingress>(path, bounds);
  const metadata = fencedMetadata(fence, there);
  if (wanted) await apply<Ingress>(scaling, ingressOf(identity, publication, settingsOf(ingress), metadata));
  else if (there !== undefined) await kubectl.deleteRaw(path, there.metadata.uid, bounds);
}

async function apply<T>({ kubectl, bounds }: Scaling, object: object): Promise<T> {
  const flags = ["--server-side", "--field-manager=podq", "--force-conflicts", "--validate=ignore"];
  return kubectl.json<T>(["apply", ...flags, "-o", "json", "-f", "-"], bounds, JSON.stringify(object));
}

function settingsOf(ingress: IngressSettings | undefined): IngressSettings {
  if (ingress !== undefined) return ingress;
  throw new KubeError("invalid-request", "there is no ingress here: PODQ_INGRESS_URL is not set where podq's workers run");
}
