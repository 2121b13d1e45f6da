// The Ingress of a pod whose ports are reached by host names. Pure.
import { KubeError } from "./errors.ts";
import { annotationsOf, labelsOf } from "./names.ts";
import type { PodIdentity } from "./names.ts";
import type { Publication } from "./ports.ts";

/** How this installation's ingress is used: the template of its URLs, and the class of its Ingresses (default: the cluster's own). */
export type IngressSettings = { url: string; className?: string };

const longestPort = "p".repeat(15);
const anyHash = "0".repeat(16);

/**
 * Why a text is no template of URLs, or null. One is an http or https address with `{port}` and `{pod}` in its host: a port's name, of
 * at most 15 characters, and the 16 characters that are the pod's own.
 */
export function wrongUrlTemplate(template: string): string | null {
  const host = /^https?:\/\/([^/?#@\s:]+)(:\d{1,5})?\/?$/.exec(template)?.[1];
  if (host === undefined) return "must be like https://{port}-{pod}.apps.example.org, without a path";
  for (const part of ["{port}", "{pod}"]) if (host.split(part).length !== 2) return `must have ${part} in its host, once`;
  const longest = host.replace("{port}", longestPort).replace("{pod}", anyHash);
  if (longest.length > 253) return "makes host names of more than 253 characters";
  const wrong = longest.split(".").find((part) => !/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(part));
  if (wrong !== undefined) return "makes host names that are none: each part is at most 63 of a-z, 0-9 and - between them";
  return URL.canParse(urlOf(template.replace("{pod}", anyHash), longestPort)) ? null : "makes no addresses";
}

/** The template of one pod's URLs. */
export function podUrl({ url }: IngressSettings, { hash }: Pick<PodIdentity, "hash">): string {
  return url.replace("{pod}", hash).replace(/\/$/, "");
}

/** The URL of one of a pod's ports, by the template of that pod. */
export function urlOf(ofPod: string, port: string): string {
  return ofPod.replace("{port}", port);
}

/** The Ingress: a rule for each port. Throws KubeError `invalid-request` for a port that is no TCP, which no ingress carries. */
export function ingressOf(
  identity: PodIdentity,
  { ports }: Publication,
  settings: IngressSettings,
  metadata: { resourceVersion?: string; annotations?: Record<string, string> },
): object {
  refuseUdp(ports);
  const template = podUrl(settings, identity);
  const hosts = ports.map(({ name }) => new URL(urlOf(template, name)).hostname);
  const rules = ports.map(({ name }, index) => ({
    host: hosts[index],
    http: { paths: [{ path: "/", pathType: "Prefix", backend: { service: { name: identity.service, port: { name } } } }] },
  }));
  return {
    apiVersion: "networking.k8s.io/v1",
    kind: "Ingress",
    metadata: {
      ...metadata,
      name: identity.service,
      namespace: identity.namespace,
      labels: labelsOf(identity),
      annotations: { ...metadata.annotations, ...annotationsOf(identity) },
    },
    spec: {
      ...(settings.className === undefined ? {} : { ingressClassName: settings.className }),
      // Without a secret: the ingress has a certificate of its own for all of them.
      ...(template.startsWith("https:") ? { tls: [{ hosts }] } : {}),
      rules,
    },
  };
}

/** Throws KubeError `invalid-request` if one of the ports is no TCP. */
export function refuseUdp(ports: Publication["ports"]): void {
  const udp = ports.find(({ protocol }) => protocol !== "TCP");
  if (udp !== undefined) throw new KubeError("invalid-request", `port ${udp.name} is ${udp.protocol}, and an ingress carries TCP alone`);
}
