import { isDeepStrictEqual } from "node:util";
import { isMap } from "./object.ts";
import type { JsonMap } from "./object.ts";
import type { Schema } from "./schema.ts";

// A set of fields is a tree, as in managedFields: `f:NAME` for a field, `k:{...}` for an item of a list by its keys, `v:...` for
// a member of a set, `.` for "the thing itself". A leaf is an empty tree.

/** The fields that a value has. */
export function fieldsOf(schema: Schema | undefined, value: unknown): JsonMap {
  if ((schema?.type === "struct" || schema?.type === "map") && isMap(value)) {
    return Object.fromEntries(Object.entries(value).map(([key, one]) => [`f:${key}`, fieldsOf(within(schema, key), one)]));
  }
  if (schema?.type === "list" && Array.isArray(value)) {
    return Object.fromEntries(value.map((item: unknown) => [itemKey(schema, item), { ".": {}, ...fieldsOf(schema.item, item) }]));
  }
  if (schema?.type === "set" && Array.isArray(value))
    return Object.fromEntries(value.map((one: unknown) => [`v:${JSON.stringify(one)}`, {}]));
  return {};
}

/** The fields in which two values differ, those that only one has included. */
export function changedFields(schema: Schema | undefined, before: unknown, after: unknown): JsonMap | undefined {
  if (isDeepStrictEqual(before, after)) return undefined;
  if ((schema?.type === "struct" || schema?.type === "map") && isMap(before) && isMap(after)) {
    const keys = new Set([...Object.keys(before), ...Object.keys(after)]);
    return joined([...keys].map((key) => [`f:${key}`, changedFields(within(schema, key), before[key], after[key])]));
  }
  if (schema?.type === "list" && Array.isArray(before) && Array.isArray(after)) {
    const [old, now] = [byKey(schema, before), byKey(schema, after)];
    return joined([...new Set([...old.keys(), ...now.keys()])].map((key) => [key, changedFields(schema.item, old.get(key), now.get(key))]));
  }
  return after === undefined ? {} : fieldsOf(schema, after);
}

function joined(pairs: readonly (readonly [string, JsonMap | undefined])[]): JsonMap | undefined {
  const changed = pairs.filter(([, tree]) => tree !== undefined);
  return changed.length > 0 ? Object.fromEntries(changed) : undefined;
}

/** Whether a set has a field or one above it as a whole. */
const has = (tree: JsonMap, key: string): boolean => key in tree;

const subtree = (tree: JsonMap, key: string): JsonMap => {
  const found = tree[key];
  return isMap(found) ? found : {};
};

const isLeaf = (tree: JsonMap): boolean => Object.keys(tree).length === 0;

/** The fields of `from` that are not in `taken`; undefined if none is left. */
export function without(from: JsonMap, taken: JsonMap): JsonMap | undefined {
  if (isLeaf(from)) return undefined;
  const rest: JsonMap = {};
  for (const key of Object.keys(from)) {
    if (!has(taken, key)) rest[key] = from[key];
    else {
      const left = without(subtree(from, key), subtree(taken, key));
      if (left && !(Object.keys(left).length === 1 && "." in left)) rest[key] = left;
      else if (left && !("." in subtree(taken, key))) rest[key] = left;
    }
  }
  return isLeaf(rest) ? undefined : rest;
}

/** The fields that are in both. */
export function intersection(a: JsonMap, b: JsonMap): JsonMap | undefined {
  const both: JsonMap = {};
  for (const key of Object.keys(a)) {
    if (!has(b, key) || key === ".") continue;
    const [left, right] = [subtree(a, key), subtree(b, key)];
    if (isLeaf(left) || isLeaf(right)) both[key] = {};
    else {
      const inner = intersection(left, right);
      if (inner) both[key] = inner;
    }
  }
  return isLeaf(both) ? undefined : both;
}

/** The fields that are in either. */
export function union(a: JsonMap, b: JsonMap): JsonMap {
  const all: JsonMap = { ...a };
  for (const key of Object.keys(b)) all[key] = has(a, key) ? union(subtree(a, key), subtree(b, key)) : b[key];
  return all;
}

/** The paths of all leaves, as a conflict names them: `.spec.template.spec.containers[name="workspace"].image`. */
export function leaves(tree: JsonMap, path = ""): string[] {
  return Object.keys(tree).flatMap((key) => {
    if (key === ".") return [];
    const inner = subtree(tree, key);
    const here = path + step(key);
    return isLeaf(inner) ? [here] : leaves(inner, here);
  });
}

function step(key: string): string {
  if (key.startsWith("f:")) return `.${key.slice(2)}`;
  if (!key.startsWith("k:")) return `[=${key.slice(2)}]`;
  const parts: unknown = JSON.parse(key.slice(2));
  const named = isMap(parts) ? Object.entries(parts).map(([name, value]) => `${name}=${JSON.stringify(value)}`) : [];
  return `[${named.join(",")}]`;
}

/** Takes the fields of a tree out of a value; maps and lists that become empty go too. */
export function removed(schema: Schema | undefined, value: unknown, tree: JsonMap): unknown {
  if (isLeaf(tree)) return undefined;
  if ((schema?.type === "struct" || schema?.type === "map") && isMap(value)) {
    const rest: JsonMap = { ...value };
    for (const key of Object.keys(tree).filter((one) => one.startsWith("f:"))) {
      const name = key.slice(2);
      if (!(name in rest)) continue;
      const left = removed(within(schema, name), rest[name], subtree(tree, key));
      if (left === undefined) delete rest[name];
      else rest[name] = left;
    }
    return Object.keys(rest).length > 0 ? rest : undefined;
  }
  if (schema?.type === "list" && Array.isArray(value)) {
    const rest = value.flatMap((item: unknown) => {
      const key = itemKey(schema, item);
      if (!has(tree, key)) return [item];
      const own = subtree(tree, key);
      return "." in own ? [] : [removed(schema.item, item, own) ?? item];
    });
    return rest.length > 0 ? rest : undefined;
  }
  if (schema?.type === "set" && Array.isArray(value)) return value.filter((one: unknown) => !has(tree, `v:${JSON.stringify(one)}`));
  return value;
}

/** Lays an applied value over a live one. */
export function merged(schema: Schema | undefined, live: unknown, applied: unknown): unknown {
  if ((schema?.type === "struct" || schema?.type === "map") && isMap(live) && isMap(applied)) {
    const all: JsonMap = { ...live };
    for (const [key, one] of Object.entries(applied)) all[key] = merged(within(schema, key), live[key], one);
    return all;
  }
  if (schema?.type === "list" && Array.isArray(live) && Array.isArray(applied)) {
    const old = byKey(schema, live);
    const now = byKey(schema, applied);
    const rest = [...old].filter(([key]) => !now.has(key)).map(([, item]) => item);
    return [...[...now].map(([key, item]) => merged(schema.item, old.get(key), item)), ...rest];
  }
  if (schema?.type === "set" && Array.isArray(live) && Array.isArray(applied)) return [...new Set([...live, ...applied])];
  return applied;
}

/** What applies to a key of a struct or a map. */
export function within(schema: Schema, key: string): Schema | undefined {
  if (schema.type === "map") return schema.of;
  return schema.type === "struct" ? schema.fields[key] : undefined;
}

type ListSchema = Extract<Schema, { type: "list" }>;

/** The key of an item as managedFields writes it: `k:{"name":"workspace"}`. */
export function itemKey(schema: ListSchema, item: unknown): string {
  const keys = schema.keys.map((key) => [key, (isMap(item) ? item[key] : undefined) ?? schema.defaults[key]]);
  return `k:${JSON.stringify(Object.fromEntries(keys))}`;
}

function byKey(schema: ListSchema, items: readonly unknown[]): Map<string, unknown> {
  return new Map(items.map((item) => [itemKey(schema, item), item]));
}
