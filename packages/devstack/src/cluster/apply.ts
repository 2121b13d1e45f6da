import { ApiError } from "./api-error.ts";
import { changedFields, fieldsOf, intersection, leaves, merged, removed, union, within, without } from "./fields.ts";
import { isMap, isObject, timestamp } from "./object.ts";
import type { FieldsOwner, JsonMap, KubeObject } from "./object.ts";
import { schemaOf } from "./schema.ts";
import type { Schema } from "./schema.ts";

const UNOWNED = ["apiVersion", "kind", "status"];
const UNOWNED_METADATA = [
  "name",
  "namespace",
  "uid",
  "resourceVersion",
  "generation",
  "creationTimestamp",
  "managedFields",
  "generateName",
];

/**
 * Server-side apply: `applied` laid over `live` (undefined: it is new), minus what `manager` had applied before, applies no
 * more and nobody else owns. Throws a Conflict where it would change what another manager owns, unless `force`.
 */
export function apply(live: KubeObject | undefined, applied: KubeObject, manager: string, force: boolean): KubeObject {
  const schema = schemaOf(applied.kind);
  checkDeclared(schema, applied);
  const mine = fieldsOf(schema, ownable(applied));
  const owners = live?.metadata.managedFields ?? [];
  const before = owners.find((one) => one.manager === manager && one.operation === "Apply");
  const others = owners.filter((one) => one !== before);
  const changed = live ? changedFields(schema, ownable(live), ownable(asObject(merged(schema, live, applied)))) : undefined;
  const disputed = others.flatMap((one) => {
    const both = changed && intersection(intersection(mine, changed) ?? {}, one.fieldsV1);
    return both ? [{ owner: one, both }] : [];
  });
  if (disputed.length > 0 && !force) throw applyConflict(disputed);
  const kept = others.flatMap((one) => {
    const dispute = disputed.find(({ owner }) => owner === one);
    const fieldsV1 = dispute ? without(one.fieldsV1, dispute.both) : one.fieldsV1;
    return fieldsV1 ? [{ ...one, fieldsV1 }] : [];
  });
  let result: unknown = live ? merged(schema, live, applied) : applied;
  const dropped =
    before &&
    without(
      before.fieldsV1,
      kept.reduce((all, one) => union(all, one.fieldsV1), mine),
    );
  if (dropped) result = removed(schema, result, dropped);
  const object = asObject(result);
  const same = before !== undefined && JSON.stringify(before.fieldsV1) === JSON.stringify(mine);
  const entry = same ? before : owner(manager, "Apply", applied.apiVersion, mine);
  return { ...object, metadata: { ...object.metadata, managedFields: [entry, ...kept] } };
}

/** Records that `manager` has changed an object by a write that was no apply: what it changed is its own from now on. */
export function recordUpdate(before: KubeObject | undefined, after: KubeObject, manager: string): KubeObject {
  const schema = schemaOf(after.kind);
  const changed = before ? changedFields(schema, ownable(before), ownable(after)) : fieldsOf(schema, ownable(after));
  if (!changed) return after;
  const rest = (before?.metadata.managedFields ?? []).flatMap((one) => {
    if (one.manager === manager && one.operation === "Update") return [];
    const fieldsV1 = without(one.fieldsV1, changed);
    return fieldsV1 ? [{ ...one, fieldsV1 }] : [];
  });
  const mine = (before?.metadata.managedFields ?? []).find((one) => one.manager === manager && one.operation === "Update");
  const entry = owner(manager, "Update", after.apiVersion, union(mine?.fieldsV1 ?? {}, changed));
  return { ...after, metadata: { ...after.metadata, managedFields: [...rest, entry] } };
}

function owner(manager: string, operation: "Apply" | "Update", apiVersion: string, fieldsV1: JsonMap): FieldsOwner {
  return { manager, operation, apiVersion, time: timestamp(), fieldsType: "FieldsV1", fieldsV1 };
}

function ownable(object: KubeObject): JsonMap {
  const top = Object.entries(object).filter(([key]) => !UNOWNED.includes(key));
  const metadata = Object.entries(object.metadata).filter(([key]) => !UNOWNED_METADATA.includes(key));
  const map: JsonMap = Object.fromEntries(top);
  if (metadata.length > 0) map.metadata = Object.fromEntries(metadata);
  else delete map.metadata;
  return map;
}

function applyConflict(disputed: readonly { owner: FieldsOwner; both: JsonMap }[]): ApiError {
  const causes = disputed.flatMap(({ owner: { manager, apiVersion }, both }) =>
    leaves(both).map((field) => ({ reason: "FieldManagerConflict", message: `conflict with "${manager}" using ${apiVersion}`, field })),
  );
  const list = causes.map(({ message, field }) => `${message}: ${field}`);
  const text = list.length === 1 ? `1 conflict: ${list[0]}` : `${list.length} conflicts: ${list.join("\n- ")}`;
  return new ApiError(409, "Conflict", `Apply failed with ${text}`, { causes });
}

function checkDeclared(schema: Schema, applied: KubeObject): void {
  const { name, namespace } = applied.metadata;
  const what = `(${namespace ?? ""}/${name}; ${applied.apiVersion}, Kind=${applied.kind})`;
  const wrong = undeclared(schema, applied, "");
  if (wrong) throw new ApiError(500, "", `failed to create typed patch object ${what}: ${wrong}`);
  const quantity = badQuantity(schema, applied);
  if (!quantity) return;
  const why = `unable to convert unstructured object to ${applied.apiVersion}, Kind=${applied.kind}: ${quantity}`;
  throw new ApiError(500, "", `failed to convert new object ${what} to proper version: ${why}`);
}

function undeclared(schema: Schema | undefined, value: unknown, path: string): string | undefined {
  if (value === null) return undefined;
  if (!schema) return `${path}: field not declared in schema`;
  if (schema.type === "struct" || schema.type === "map") {
    if (!isMap(value)) return `${path}: expected map, got ${typeName(value)}`;
    return first(Object.entries(value), ([key, one]) => undeclared(within(schema, key), one, `${path}.${key}`));
  }
  if (schema.type === "list") {
    if (!Array.isArray(value)) return `${path}: expected list, got ${typeName(value)}`;
    const twice = duplicate(schema, value);
    if (twice !== undefined) return `${path}: duplicate entries for key ${twice}`;
    return first(value, (item: unknown) => undeclared(schema.item, item, `${path}${itemPath(schema.keys, item)}`));
  }
  if (schema.type === "string" && typeof value !== "string") return `${path}: expected string, got ${typeName(value)}`;
  if (schema.type === "boolean" && typeof value !== "boolean") return `${path}: expected boolean, got ${typeName(value)}`;
  if (schema.type === "number" && typeof value !== "number") return `${path}: expected numeric (int or float), got ${typeName(value)}`;
  return undefined;
}

const QUANTITY = /^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$/;

function badQuantity(schema: Schema | undefined, value: unknown): string | undefined {
  if (schema?.type === "quantity") {
    return QUANTITY.test(String(value)) ? undefined : `quantities must match the regular expression '${QUANTITY.source}'`;
  }
  if (schema?.type === "list" && Array.isArray(value)) return first(value, (item: unknown) => badQuantity(schema.item, item));
  if (schema && isMap(value)) return first(Object.entries(value), ([key, one]) => badQuantity(within(schema, key), one));
  return undefined;
}

function first<T>(items: readonly T[], look: (item: T) => string | undefined): string | undefined {
  for (const item of items) {
    const found = look(item);
    if (found !== undefined) return found;
  }
  return undefined;
}

const typeName = (value: unknown): string => (Array.isArray(value) ? "list" : isMap(value) ? "map" : typeof value);

function duplicate(schema: Extract<Schema, { type: "list" }>, items: readonly unknown[]): string | undefined {
  const keys = items.map((item) => itemPath(schema.keys, { ...schema.defaults, ...(isMap(item) ? item : {}) }));
  return keys.find((key, index) => keys.indexOf(key) !== index);
}

const itemPath = (keys: readonly string[], item: unknown): string =>
  `[${keys.map((key) => `${key}=${JSON.stringify(isMap(item) ? item[key] : undefined)}`).join(",")}]`;

function asObject(value: unknown): KubeObject {
  if (!isObject(value)) throw new ApiError(400, "BadRequest", "the object has no kind, apiVersion or metadata");
  return value;
}
