import { admitClaim, admitNew, admitPod, insecure } from "./admission.ts";
import { alreadyExists, ApiError, badRequest, conflict, methodNotAllowed, notFound } from "./api-error.ts";
import { apply, recordUpdate } from "./apply.ts";
import { setDefaults } from "./defaults.ts";
import { deleteObject, removeIfDone } from "./deletion.ts";
import type { Deleted, DeleteOptions } from "./deletion.ts";
import { isMap, isObject } from "./object.ts";
import type { JsonMap, KubeObject } from "./object.ts";
import { patched } from "./patch.ts";
import { apiVersion } from "./resources.ts";
import { prepareService } from "./service-ports.ts";
import type { NodePortRange } from "./service-ports.ts";
import type { Script } from "./script.ts";
import type { Collection, Store } from "./store.ts";
import { isClaim, isDeployment, isPod, validate } from "./validate.ts";

/** Where a write goes, and who writes: `warn` takes what is to be said beside the answer. */
export type Write = { namespace: string | undefined; manager: string; dryRun: boolean; warn: (text: string) => void };

/** The writes of the API, on the store, with everything that the real server puts around them. */
export type Api = {
  create: (into: Collection<KubeObject>, body: unknown, write: Write) => KubeObject;
  replace: (into: Collection<KubeObject>, name: string, body: unknown, write: Write, subresource?: string) => KubeObject;
  applyPatch: (
    into: Collection<KubeObject>,
    name: string,
    body: unknown,
    force: boolean,
    write: Write,
  ) => { created: boolean; object: KubeObject };
  patch: (into: Collection<KubeObject>, name: string, body: unknown, type: string, write: Write, subresource?: string) => KubeObject;
  remove: (from: Collection<KubeObject>, name: string, options: DeleteOptions, write: Write) => Deleted;
};

/** Makes the writes of the API on a store, under the faults of a script. */
export function createApi(store: Store, script: Script, nodePorts: NodePortRange): Api {
  const putNew = (into: Collection<KubeObject>, object: KubeObject, write: Write): KubeObject => {
    const { resource } = into;
    const { name } = object.metadata;
    if (resource.namespaced) admitNew(store, resource, write.namespace ?? "", name);
    if (into.get(write.namespace, name)) throw alreadyExists(resource, name);
    complete(into, object, undefined, write);
    return write.dryRun ? object : into.insert(object);
  };

  const putChanged = (into: Collection<KubeObject>, before: KubeObject, after: KubeObject, write: Write): KubeObject => {
    complete(into, after, before, write);
    if (write.dryRun) return after;
    const { namespace, name, uid, creationTimestamp, resourceVersion, generation, deletionTimestamp, deletionGracePeriodSeconds } =
      before.metadata;
    const fixed = { namespace, name, uid, creationTimestamp, resourceVersion, generation, deletionTimestamp, deletionGracePeriodSeconds };
    const kept = Object.fromEntries(Object.entries(fixed).filter(([, value]) => value !== undefined));
    const result = into.update(namespace, name, (draft) => {
      for (const key of Object.keys(draft)) delete draft[key];
      Object.assign(draft, after, { metadata: { ...after.metadata, ...kept } });
    });
    if (result) removeIfDone(into, result);
    return result ?? after;
  };

  // Defaults, allocations and checks that every write of an object passes.
  const complete = (into: Collection<KubeObject>, object: KubeObject, before: KubeObject | undefined, write: Write): void => {
    setDefaults(object);
    if (object.kind === "Namespace") {
      object.metadata.labels = { ...object.metadata.labels, "kubernetes.io/metadata.name": object.metadata.name };
      object.spec ??= { finalizers: ["kubernetes"] };
      object.status ??= { phase: "Active" };
    }
    if (object.kind === "Service") prepareService(store, script, nodePorts, object, before);
    if (object.kind === "Ingress") object.status ??= { loadBalancer: {} };
    if (isClaim(object)) admitClaim(store, object, isClaim(before) ? before : undefined);
    validate(into.resource, object, before);
    if (isPod(object) && !before) {
      object.status = { phase: "Pending" };
      admitPod(store, object);
    }
    if (isDeployment(object)) {
      object.status ??= {};
      const found = insecure(store, write.namespace ?? "", object.spec.template.spec);
      if (found) write.warn(found.warning);
    }
  };

  const existing = (from: Collection<KubeObject>, name: string, { namespace }: Write): KubeObject => {
    const found = from.get(namespace, name);
    if (found) return found;
    if (from.resource.namespaced && !store.namespaces.get(undefined, namespace ?? ""))
      throw notFound(store.namespaces.resource, namespace ?? "");
    throw notFound(from.resource, name);
  };

  return {
    create: (into, body, write) => {
      const object = received(into, body, write);
      object.metadata.name ??= generatedName(object.metadata.generateName ?? "");
      return putNew(into, recordUpdate(undefined, object, write.manager), write);
    },

    replace: (into, name, body, write, subresource) => {
      const before = existing(into, name, write);
      const object = received(into, body, write);
      refuseModified(into, before, object);
      const after = onlyPart(before, object, subresource);
      return putChanged(into, before, recordUpdate(before, after, write.manager), write);
    },

    applyPatch: (into, name, body, force, write) => {
      const object = received(into, body, write);
      object.metadata.name ??= name;
      if (object.metadata.name !== name)
        throw badRequest(`the name of the object (${object.metadata.name}) does not match the name on the URL (${name})`);
      delete object.metadata.managedFields;
      const before = into.get(write.namespace, name);
      refuseModified(into, before, object);
      if (!before) return { created: true, object: putNew(into, apply(undefined, object, write.manager, force), write) };
      return { created: false, object: putChanged(into, before, apply(before, object, write.manager, force), write) };
    },

    patch: (into, name, body, type, write, subresource) => {
      const before = existing(into, name, write);
      const result = patched(before, body, type);
      if (!isObject(result)) throw badRequest("the patch leaves no object");
      const after = onlyPart(before, result, subresource);
      return putChanged(into, before, recordUpdate(before, after, write.manager), write);
    },

    remove: (from, name, options, write) => deleteObject(store, from, existing(from, name, write), options),
  };
}

// Who names a version writes to that one only, and who names a uid to that object.
function refuseModified({ resource }: Collection<KubeObject>, before: KubeObject | undefined, { metadata }: KubeObject): void {
  if (metadata.uid && !before) {
    const why = `uid mismatch: the provided object specified uid ${metadata.uid}, and no existing object was found`;
    throw conflict(resource, metadata.name, why);
  }
  if (!before || !metadata.resourceVersion || metadata.resourceVersion === before.metadata.resourceVersion) return;
  const message = "the object has been modified; please apply your changes to the latest version and try again";
  throw conflict(resource, before.metadata.name, message);
}

// A status subresource changes the status alone; any other write leaves it as it is.
function onlyPart(before: KubeObject, after: KubeObject, subresource: string | undefined): KubeObject {
  if (subresource === "status") return { ...before, status: after.status ?? {} };
  if (subresource !== undefined) throw methodNotAllowed();
  return before.status ? { ...after, status: before.status } : after;
}

function received(into: Collection<KubeObject>, body: unknown, { namespace }: Write): KubeObject {
  const { kind, namespaced } = into.resource;
  const of = apiVersion(into.resource);
  const whole: JsonMap = isMap(body) ? { kind, apiVersion: of, metadata: {}, ...body } : {};
  if (!isObject(whole)) throw badRequest("the body of the request is no object");
  if (whole.kind !== kind || whole.apiVersion !== of) {
    throw badRequest(
      `${whole.kind} in version "${whole.apiVersion}" cannot be handled as a ${kind}: the API version in the data does not match`,
    );
  }
  const object: KubeObject = structuredClone(whole);
  if (namespaced && namespace !== undefined) {
    object.metadata.namespace ??= namespace;
    if (object.metadata.namespace !== namespace)
      throw badRequest("the namespace of the provided object does not match the namespace sent on the request");
  }
  return object;
}

const LETTERS = "bcdfghjklmnpqrstvwxz2456789";

/** A name as the API server makes it of `generateName`: with five random letters and digits. */
export function generatedName(prefix: string): string {
  if (prefix === "") throw new ApiError(422, "Invalid", "name or generateName is required");
  return prefix + Array.from({ length: 5 }, () => LETTERS[Math.floor(Math.random() * LETTERS.length)]).join("");
}
