import { join } from "node:path";
import type { EventFacts } from "./events.ts";
import { imageName, invalidImageMessage } from "./images.ts";
import type { Image, Mount } from "./images.ts";
import { isMap } from "./object.ts";
import type { Container, EnvVar, Pod } from "./object.ts";
import { API_ADDRESS } from "./sandbox.ts";
import type { ContainerPlan } from "./sandbox.ts";
import type { Script } from "./script.ts";
import type { Store } from "./store.ts";

/** Why a container cannot be made yet: the reason it waits for, and what the events say. */
export type NotYet = { reason: string; message: string; events: Omit<EventFacts, "component">[] };

type Question = {
  pod: Pod;
  container: Container;
  images: readonly Image[];
  script: Script;
  store: Store;
  pause: (ms: number) => Promise<void>;
};

/** The image of a container, pulled if need be, or why there is none or the container's configuration cannot be made. */
export async function prepareImage({ pod, container, images, script, store, pause }: Question): Promise<{ image: Image } | NotYet> {
  const { image: text, imagePullPolicy } = container;
  const namespace = pod.metadata.namespace;
  const name = imageName(text);
  if (name === undefined) {
    const message = invalidImageMessage(text);
    return failed("InvalidImageName", message, { type: "Warning", reason: "InspectFailed", message });
  }
  const image = images.find((one) => one.name === name);
  if (imagePullPolicy === "Never" && !image) {
    const message = `Container image "${text}" is not present with pull policy of Never`;
    return failed("ErrImageNeverPull", message, { type: "Warning", reason: "ErrImageNeverPull", message });
  }
  const fault = imagePullPolicy === "Never" ? undefined : script.take("pull", { namespace, image: text });
  if (fault?.afterMs) await pause(fault.afterMs);
  if (!image || (fault && (fault.message !== undefined || fault.afterMs === undefined))) {
    const reference = `failed to resolve reference "${name}": ${name}: not found`;
    const message =
      fault?.message?.replaceAll("IMAGE", name) ??
      `rpc error: code = NotFound desc = failed to pull and unpack image "${name}": ${reference}`;
    const pulling = { type: "Normal", reason: "Pulling", message: `Pulling image "${text}"` } as const;
    return failed("ErrImagePull", message, pulling, {
      type: "Warning",
      reason: "Failed",
      message: `Failed to pull image "${text}": ${message}`,
    });
  }
  const missing =
    script.take("config", { namespace })?.message ??
    missingReference(store, namespace ?? "", container.env ?? []) ??
    rootRefused(pod, container, image);
  if (missing !== undefined) return failed("CreateContainerConfigError", missing);
  if (!container.command && !container.args && image.entrypoint.length === 0) {
    return failed("CreateContainerError", "failed to generate container spec: failed to generate spec: no command specified");
  }
  return { image };
}

function failed(reason: string, message: string, ...events: Omit<EventFacts, "component">[]): NotYet {
  return {
    reason,
    message,
    events: [...events, { type: "Warning", reason: "Failed", message: `Error: ${events.length > 0 ? reason : message}` }],
  };
}

function missingReference(store: Store, namespace: string, env: readonly EnvVar[]): string | undefined {
  for (const { valueFrom } of env) {
    for (const [plural, kind, reference] of [
      ["secrets", "secret", valueFrom?.secretKeyRef],
      ["configmaps", "configmap", valueFrom?.configMapKeyRef],
    ] as const) {
      if (!reference || reference.optional) continue;
      const found = store.collections.get(`/${plural}`)?.get(namespace, reference.name);
      if (!found) return `${kind} "${reference.name}" not found`;
      if (!isMap(found.data) || !(reference.key in found.data))
        return `couldn't find key ${reference.key} in ${kind === "secret" ? "Secret" : "ConfigMap"} ${namespace}/${reference.name}`;
    }
  }
  return undefined;
}

function rootRefused(pod: Pod, container: Container, image: Image): string | undefined {
  const nonRoot = container.securityContext?.runAsNonRoot ?? pod.spec.securityContext?.runAsNonRoot;
  if (nonRoot !== true || userOf(pod, container, image) !== 0) return undefined;
  const where = `(pod: "${pod.metadata.name}_${pod.metadata.namespace}(${pod.metadata.uid})", container: ${container.name})`;
  const explicit = container.securityContext?.runAsUser ?? pod.spec.securityContext?.runAsUser;
  return explicit === 0
    ? `container's runAsUser breaks non-root policy ${where}`
    : `container has runAsNonRoot and image will run as root ${where}`;
}

const userOf = (pod: Pod, container: Container, image: Image): number =>
  container.securityContext?.runAsUser ?? pod.spec.securityContext?.runAsUser ?? image.user;

/** Everything that is needed to start a container of a pod; `volumes` is the folder that has the pod's volumes, `binds` is what every pod sees. */
export function planContainer(of: {
  pod: Pod;
  container: Container;
  image: Image;
  dir: string;
  volumes: string;
  binds: readonly Mount[];
  address: string;
  store: Store;
}): ContainerPlan {
  const { pod, container, image, dir, volumes, binds, address, store } = of;
  const uid = userOf(pod, container, image);
  const gid = container.securityContext?.runAsGroup ?? pod.spec.securityContext?.runAsGroup ?? uid;
  const command = container.command ?? image.entrypoint;
  const hostname = pod.metadata.name.slice(0, 63);
  return {
    dir,
    image,
    hostname,
    address,
    uid,
    gid,
    argv: [...command, ...(container.args ?? [])],
    env: {
      PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/opt",
      HOSTNAME: hostname,
      HOME: uid === 0 ? "/root" : "/workspace",
      KUBERNETES_SERVICE_HOST: API_ADDRESS,
      KUBERNETES_SERVICE_PORT: "443",
      ...environment(store, pod.metadata.namespace ?? "", container.env ?? []),
    },
    workingDir: container.workingDir ?? "/",
    volumes: [
      ...(container.volumeMounts ?? []).map(({ name, mountPath, subPath, readOnly }) => ({
        from: join(volumes, name, subPath ?? ""),
        to: mountPath,
        mode: readOnly ? ("ro" as const) : ("rw" as const),
      })),
      ...binds,
    ],
    readOnlyRoot: container.securityContext?.readOnlyRootFilesystem === true,
  };
}

function environment(store: Store, namespace: string, env: readonly EnvVar[]): Record<string, string> {
  const known: Record<string, string> = {};
  for (const { name, value, valueFrom } of env) {
    const { secretKeyRef, configMapKeyRef } = valueFrom ?? {};
    if (secretKeyRef) known[name] = Buffer.from(datum(store, "secrets", namespace, secretKeyRef), "base64").toString();
    else if (configMapKeyRef) known[name] = datum(store, "configmaps", namespace, configMapKeyRef);
    else known[name] = expanded(value ?? "", known);
  }
  return known;
}

/** A text of a manifest as the kubelet takes it: `$(NAME)` is replaced if NAME is known, and `$$` is a dollar sign. */
export function expanded(text: string, known: Readonly<Record<string, string>>): string {
  return text.replace(/\$\$|\$\(([A-Za-z_][\w.-]*)\)/g, (whole, other?: string) => (other === undefined ? "$" : (known[other] ?? whole)));
}

function datum(store: Store, plural: string, namespace: string, { name, key }: { name: string; key: string }): string {
  const data: unknown = store.collections.get(`/${plural}`)?.get(namespace, name)?.data;
  const value: unknown = isMap(data) ? data[key] : undefined;
  return typeof value === "string" ? value : "";
}
