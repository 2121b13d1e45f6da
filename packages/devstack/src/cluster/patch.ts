import { ApiError, badRequest } from "./api-error.ts";
import { itemKey, within } from "./fields.ts";
import { isMap } from "./object.ts";
import type { JsonMap, KubeObject } from "./object.ts";
import { schemaOf } from "./schema.ts";
import type { Schema } from "./schema.ts";

/** The object with a patch of one of the three older kinds laid on it: JSON, merge, strategic merge. */
export function patched(object: KubeObject, patch: unknown, type: string): unknown {
  if (type === "application/merge-patch+json") return mergePatch(undefined, object, patch);
  if (type === "application/strategic-merge-patch+json") return mergePatch(schemaOf(object.kind), object, patch);
  if (type === "application/json-patch+json") return jsonPatch(object, patch);
  throw new ApiError(415, "UnsupportedMediaType", `the body of the request was in an unknown format - ${type}`);
}

// With a schema, lists that have keys are merged by them; without, they are replaced.
function mergePatch(schema: Schema | undefined, value: unknown, patch: unknown): unknown {
  if (isMap(patch)) {
    const result: JsonMap = isMap(value) && patch.$patch !== "replace" ? { ...value } : {};
    for (const [key, one] of Object.entries(patch)) {
      if (key.startsWith("$")) continue;
      if (one === null) delete result[key];
      else result[key] = mergePatch(schema && within(schema, key), result[key], one);
    }
    return result;
  }
  if (schema?.type !== "list" || !Array.isArray(patch) || !Array.isArray(value)) return patch;
  const items = new Map(value.map((item: unknown) => [itemKey(schema, item), item]));
  for (const item of patch) {
    const key = itemKey(schema, item);
    if (isMap(item) && item.$patch === "delete") items.delete(key);
    else items.set(key, mergePatch(schema.item, items.get(key), item));
  }
  return [...items.values()];
}

function jsonPatch(object: KubeObject, patch: unknown): unknown {
  if (!Array.isArray(patch)) throw badRequest("a JSON patch is a list of operations");
  const result: unknown = structuredClone(object);
  for (const one of patch) {
    if (!isMap(one) || typeof one.path !== "string") throw badRequest("an operation of a JSON patch needs a path");
    const path = one.path
      .slice(1)
      .split("/")
      .map((step) => step.replaceAll("~1", "/").replaceAll("~0", "~"));
    const last = path.pop() ?? "";
    const parent = path.reduce<unknown>((at, step) => (isMap(at) ? at[step] : Array.isArray(at) ? at[Number(step)] : undefined), result);
    operate(parent, last, one);
  }
  return result;
}

function operate(parent: unknown, key: string, { op, value, path }: JsonMap): void {
  const missing = new ApiError(
    422,
    "Invalid",
    `the server rejected our request due to an error in our request: ${JSON.stringify(op)} operation does not apply: doc is missing path: ${JSON.stringify(path)}`,
  );
  if (Array.isArray(parent)) {
    const index = key === "-" ? parent.length : Number(key);
    if (op === "remove") parent.splice(index, 1);
    else parent.splice(index, op === "replace" ? 1 : 0, value);
    return;
  }
  if (!isMap(parent) || (op !== "add" && !(key in parent))) throw missing;
  if (op === "remove") delete parent[key];
  else if (op === "test") {
    if (JSON.stringify(parent[key]) !== JSON.stringify(value)) throw missing;
  } else parent[key] = value;
}
