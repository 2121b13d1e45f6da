import { badRequest } from "./api-error.ts";
import type { KubeObject, LabelSelector } from "./object.ts";

type Labels = Record<string, string>;
type Test<T> = (subject: T) => boolean;

/** Compiles `a=b,c!=d,e in (f,g),h notin (i),j,!k`, as the query parameter labelSelector has it. */
export function parseLabelSelector(text: string): Test<Labels> {
  const tests = text
    .split(/,(?![^(]*\))/)
    .map((one) => one.trim())
    .filter((one) => one !== "")
    .map(labelTest);
  return (labels) => tests.every((test) => test(labels));
}

function labelTest(text: string): Test<Labels> {
  const set = /^(\S+)\s+(in|notin)\s+\((.*)\)$/.exec(text);
  if (set) {
    const [, key = "", operator, list = ""] = set;
    const values = list.split(",").map((value) => value.trim());
    return (labels) => values.includes(labels[key] ?? "\0") === (operator === "in");
  }
  const pair = /^([^=!\s]+)\s*(==|=|!=)\s*(\S*)$/.exec(text);
  if (pair) {
    const [, key = "", operator, value = ""] = pair;
    return operator === "!=" ? (labels) => labels[key] !== value : (labels) => labels[key] === value;
  }
  const exists = /^(!?)([^=!\s]+)$/.exec(text);
  if (!exists) throw badRequest(`unable to parse requirement: found '${text}', expected: identifier`);
  const [, not, key = ""] = exists;
  return (labels) => key in labels === (not === "");
}

/** Whether a selector of a controller or a service selects these labels. */
export function selects(selector: LabelSelector, labels: Labels = {}): boolean {
  const plain = Object.entries(selector.matchLabels ?? {}).every(([key, value]) => labels[key] === value);
  return (
    plain &&
    (selector.matchExpressions ?? []).every(({ key, operator, values = [] }) => {
      if (operator === "In") return values.includes(labels[key] ?? "\0");
      if (operator === "NotIn") return !values.includes(labels[key] ?? "\0");
      return key in labels === (operator === "Exists");
    })
  );
}

const ANY = ["metadata.name", "metadata.namespace"];
const FIELDS: Record<string, readonly string[]> = {
  pods: ["spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName", "status.phase", "status.podIP"],
  namespaces: ["status.phase"],
  events: [
    "involvedObject.kind",
    "involvedObject.namespace",
    "involvedObject.name",
    "involvedObject.uid",
    "involvedObject.fieldPath",
    "reason",
    "type",
  ],
  replicasets: ["status.replicas"],
  persistentvolumeclaims: ["status.phase"],
};

/** Compiles the query parameter fieldSelector; a field that the real server does not index is a bad request here as well. */
export function parseFieldSelector(text: string, plural: string, gvk: string): Test<KubeObject> {
  const tests = text
    .split(",")
    .filter((one) => one !== "")
    .map((one): Test<KubeObject> => {
      const [, field = "", operator, value = ""] = /^([^=!]+)(==|=|!=)(.*)$/.exec(one) ?? [];
      if (![...ANY, ...(FIELDS[plural] ?? [])].includes(field)) {
        const why = `field label not supported: ${field}`;
        throw badRequest(`Unable to find "${gvk}" that match label selector "", field selector "${text}": ${why}`);
      }
      return (object) => (read(object, field) === value) === (operator !== "!=");
    });
  return (object) => tests.every((test) => test(object));
}

function read(object: unknown, path: string): string {
  let at: unknown = object;
  for (const step of path.split(".")) at = typeof at === "object" && at !== null && step in at ? Reflect.get(at, step) : undefined;
  return typeof at === "string" || typeof at === "number" ? String(at) : "";
}
