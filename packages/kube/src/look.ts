import { KubeError } from "./errors.ts";
import { paths } from "./kubectl.ts";
import type { Bounds, Kubectl } from "./kubectl.ts";
import { isOurs, selectorOf } from "./names.ts";
import type { PodIdentity } from "./names.ts";
import type { Deployment, KubeObject, Namespace, NetworkPolicy, Pod, Service } from "./objects.ts";
import { observationOf } from "./observation.ts";
import type { PodObjects } from "./observation.ts";

/** Everything that is there under the pod's names, if all of it is the pod's and none of it is on its way out. */
export async function lookFor(kubectl: Kubectl, identity: PodIdentity, bounds: Bounds): Promise<PodObjects> {
  const found = await look(kubectl, `namespaces,${policies},${namespacedKinds}`, identity.namespace, selectorOf(identity), bounds);
  const namespace = found.namespace ?? (await kubectl.getRaw<Namespace>(paths.namespace(identity.namespace), bounds));
  const deployment = found.deployments.find(({ metadata }) => metadata.name === identity.deployment);
  const service = found.services.find(({ metadata }) => metadata.name === identity.service);
  const policy = found.policies.find(({ metadata }) => metadata.name === identity.deployment);
  for (const object of [namespace, deployment, service, policy])
    if (object !== undefined && !isOurs(identity, object.metadata))
      throw new KubeError("conflict", `${object.kind ?? "Object"} ${object.metadata.name} exists and is not this pod's; it was left alone`);
  const objects = { namespace, deployment, service, policy, pods: found.pods };
  refuseTerminating(identity, objects);
  return objects;
}

/** Throws `namespace-terminating`: what is applied to a namespace that is going is accepted, and then deleted with it. */
export function refuseTerminating(identity: PodIdentity, objects: PodObjects): void {
  const going = [objects.namespace, objects.deployment, objects.service].find((object) => object?.metadata.deletionTimestamp !== undefined);
  if (going === undefined) return;
  const message = `${going.kind ?? "Object"} ${going.metadata.name} is being deleted`;
  throw new KubeError("namespace-terminating", message, { observation: observationOf(identity, objects) });
}

/** A v1 List, of several kinds. */
export type List = { items: (KubeObject & { kind?: string })[] };
type Sorted = { namespace: Namespace | undefined; deployments: Deployment[]; services: Service[]; pods: Pod[]; policies: NetworkPolicy[] };

/** What of a pod is in its namespace, as kubectl wants it. */
export const namespacedKinds = "deployments.apps,services,pods";

const policies = "networkpolicies.networking.k8s.io";

/** One call for all kinds. Namespaces are cluster-wide, so those of other generations come too and are sorted out. */
export async function look(kubectl: Kubectl, kinds: string, namespace: string, selector: string, bounds: Bounds): Promise<Sorted> {
  const args = ["get", kinds, `--namespace=${namespace}`, `--selector=${selector}`, "-o", "json"];
  return sorted(await kubectl.json<List>(args, bounds), namespace);
}

/** The objects of a list by their kinds, and of the namespaces the one of that name. */
export function sorted({ items }: List, namespace: string): Sorted {
  const of = <T extends KubeObject>(kind: string): T[] => items.filter((item) => item.kind === kind) as T[];
  return {
    namespace: of<Namespace>("Namespace").find(({ metadata }) => metadata.name === namespace),
    deployments: of<Deployment>("Deployment"),
    services: of<Service>("Service"),
    pods: of<Pod>("Pod"),
    policies: of<NetworkPolicy>("NetworkPolicy"),
  };
}
