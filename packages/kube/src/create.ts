import { stepFor, updatedAnnotation, updatedUnder } from "./change.ts";
import type { IfChanged } from "./change.ts";
import { differs } from "./differs.ts";
import { KubeError } from "./errors.ts";
import { fencedMetadata, untilUnmodified } from "./fence.ts";
import { refuseTerminating, sorted } from "./look.ts";
import type { List } from "./look.ts";
import { manifest } from "./manifest.ts";
import type { PodSpec, StartOptions } from "./manifest.ts";
import type { Deployment, Service } from "./objects.ts";
import { observationOf } from "./observation.ts";
import type { PodObjects, PodObservation } from "./observation.ts";
import { publicationOf, published, publishedOtherwise } from "./ports.ts";
import type { Publication } from "./ports.ts";
import { untilReady } from "./ready.ts";
import { startOf, startPod } from "./scale.ts";
import type { Scaling } from "./scale.ts";
import { followIngress, publish, serviceOf } from "./service.ts";
import { judge } from "./verdict.ts";

/** How a create goes: `word` is its own, the same in every attempt at it. */
export type Creation = { ifChanged: IfChanged; word: string | undefined; progressDeadlineSeconds: number };

type Applied = PodObjects & { deployment: Deployment };

/** Makes a pod run as asked; one that is there is left as it is, or made what is asked, as `ifChanged` says. */
export async function createPod(scaling: Scaling, spec: PodSpec, how: Creation): Promise<PodObservation> {
  refuseReservedLabels(spec);
  const { kubectl, identity, bounds } = scaling;
  const { there, next, told } = await untilUnmodified(bounds, async () => step(scaling, spec, await scaling.look(), how));
  try {
    if (next === "keep") return observationOf(identity, there, told);
    const seen = await (next === "start" ? startPod(scaling, { ...how, restart: undefined }) : untilReady(kubectl, identity, next, bounds));
    return { ...seen, ...told };
  } catch (error) {
    throw withTold(error, observationOf(identity, there, told), told);
  }
}

type Told = Pick<PodObservation, "differs" | "updated">;

// What is there after it, and what is to be waited for.
type Stepped = { there: PodObjects; next: Applied | "keep" | "start"; told: Told };

// What is found is asked for, and written if that is the step; the rest is to wait for it.
async function step(scaling: Scaling, spec: PodSpec, there: PodObjects, how: Creation): Promise<Stepped> {
  const { identity, fence } = scaling;
  const metadata = fencedMetadata(fence, there.deployment);
  const made = differs(identity, spec, there);
  const publication = there.service && publicationOf(there.service);
  const different = [...made, ...(there.deployment && publication ? publishedOtherwise(spec, publication) : [])];
  const verdict = judge(there.deployment, there.pods);
  const before = updatedUnder(how.word, there.deployment);
  const left = { differs: different, updated: before };
  const next = stepFor(verdict, different, how.ifChanged);
  if (next === "refuse") {
    const message = `the pod is there and differs in ${different.join(", ")}; it was left as it is`;
    throw new KubeError("changed", message, { observation: observationOf(identity, there, left) });
  }
  const updated = [...new Set([...before, ...different])];
  try {
    // The ports of a pod that runs are changed beside it.
    if (next === "apply" && verdict.kind === "running" && made.length === 0)
      return { there: await publishAnew(scaling, there, published(spec, publication)), next: "keep", told: { differs: [], updated } };
    if (next !== "apply") return { there: await keepPublished(scaling, spec, there), next, told: left };
    const annotations = { ...metadata.annotations, ...updatedAnnotation(how.word, updated) };
    // What is just starting as asked is only waited for, and a fence is moved around what runs. In every other case a new number in the template makes the cluster begin
    // anew: it replaces a pod that failed, and tries again at once where it had backed off. It is counted rather than drawn, so
    // that two who do the same at once apply the same.
    const last = startOf(there.deployment);
    const goesOn = verdict.kind === "starting" ? made.length === 0 : verdict.kind === "running" && made.join() === "network";
    const start = String(goesOn ? last : last + 1);
    const options = { start, metadata: { ...metadata, annotations }, progressDeadlineSeconds: how.progressDeadlineSeconds };
    return { there, next: await apply(scaling, spec, options, there.service), told: { differs: [], updated } };
  } catch (error) {
    throw withTold(error, observationOf(identity, there, left));
  }
}

async function publishAnew(scaling: Scaling, there: PodObjects, publication: Publication): Promise<PodObjects> {
  return { ...there, service: await publish(scaling, there.service, publication) };
}

// An earlier attempt may have made the Deployment and not what comes after it.
async function keepPublished(scaling: Scaling, spec: PodSpec, there: PodObjects): Promise<PodObjects> {
  if (there.service === undefined) return publishAnew(scaling, there, published(spec, undefined));
  await followIngress(scaling, there.service, publicationOf(there.service));
  return there;
}

function withTold(error: unknown, otherwise: PodObservation, told: Partial<Told> = {}): unknown {
  return error instanceof KubeError ? error.withObservation({ ...(error.observation ?? otherwise), ...told }) : error;
}

function refuseReservedLabels({ labels = {} }: PodSpec): void {
  const reserved = Object.keys(labels).filter((key) => /^(?:[^/]*\.)?(?:kubernetes\.io|k8s\.io|podq\.dev)\//.test(key));
  if (reserved.length > 0) throw new KubeError("invalid-request", `labels of Kubernetes and podq cannot be set: ${reserved.join(", ")}`);
}

async function apply(scaling: Scaling, spec: PodSpec, options: StartOptions, before: Service | undefined): Promise<Applied> {
  const { kubectl, identity, bounds, fence, ingress } = scaling;
  const publication = published(spec, before && publicationOf(before));
  const service = serviceOf(identity, publication, ingress, fencedMetadata(fence, before));
  // One object a line: kubectl takes the input for JSON by its first character and fails at a `---`. Everything goes through
  // stdin, because an argv can be seen by others on the host.
  const objects = manifest(identity, spec, options, service).map((object) => JSON.stringify(object));
  const flags = ["--server-side", "--field-manager=podq", "--force-conflicts", "--validate=ignore"];
  const answer = await kubectl.json<List>(["apply", ...flags, "-o", "json", "-f", "-"], bounds, objects.join("\n"));
  const { namespace, deployments, services } = sorted(answer, identity.namespace);
  const [deployment] = deployments;
  if (deployment === undefined) throw new KubeError("internal", "kubectl applied the objects, but did not say what became of them");
  const applied = { namespace, deployment, service: services[0], pods: [] };
  refuseTerminating(identity, applied);
  await followIngress(scaling, before, publication);
  return applied;
}
