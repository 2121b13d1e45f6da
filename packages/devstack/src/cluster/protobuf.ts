import { ApiError } from "./api-error.ts";
import type { JsonMap } from "./object.ts";

// `kubectl create namespace` and its like send protobuf and nothing else; all other commands send JSON. What is read here is
// the few kinds that a person creates that way, by the field numbers of Kubernetes' generated.proto.

type Field = { name: string; as: "string" | "bool" | "strings" | "map" | "bytes-map" | "quantities" | Message };
type Message = Readonly<Record<number, Field>>;

const METADATA: Message = {
  1: { name: "name", as: "string" },
  2: { name: "generateName", as: "string" },
  3: { name: "namespace", as: "string" },
  11: { name: "labels", as: "map" },
  12: { name: "annotations", as: "map" },
  14: { name: "finalizers", as: "strings" },
};
const metadata: Field = { name: "metadata", as: METADATA };
const KINDS: Readonly<Record<string, Message>> = {
  Namespace: { 1: metadata },
  ServiceAccount: { 1: metadata },
  ConfigMap: { 1: metadata, 2: { name: "data", as: "map" }, 4: { name: "immutable", as: "bool" } },
  Secret: { 1: metadata, 2: { name: "data", as: "bytes-map" }, 3: { name: "type", as: "string" }, 4: { name: "stringData", as: "map" } },
  ResourceQuota: { 1: metadata, 2: { name: "spec", as: { 1: { name: "hard", as: "quantities" } } } },
};
const TYPE: Message = { 1: { name: "apiVersion", as: "string" }, 2: { name: "kind", as: "string" } };
const MAGIC = Buffer.from("k8s\0");

/** Reads an object in Kubernetes' protobuf envelope. Throws for a kind that is not known here. */
export function readProtobuf(body: Buffer): JsonMap {
  if (!body.subarray(0, 4).equals(MAGIC)) throw unsupported("something else");
  const fields = wireFields(body.subarray(4));
  const type = fields.find(({ number }) => number === 1)?.bytes ?? Buffer.alloc(0);
  const raw = fields.find(({ number }) => number === 2)?.bytes ?? Buffer.alloc(0);
  const typeMeta = message(type, TYPE);
  const kind = typeof typeMeta.kind === "string" ? typeMeta.kind : "";
  const known = KINDS[kind];
  if (!known) throw unsupported(kind);
  return { ...typeMeta, ...message(raw, known) };
}

const unsupported = (kind: string): ApiError =>
  new ApiError(
    415,
    "UnsupportedMediaType",
    `this cluster reads no protobuf of ${kind || "this kind"}: give kubectl the object as a file, then it sends JSON`,
  );

function message(bytes: Buffer, shape: Message): JsonMap {
  const result: JsonMap = {};
  for (const field of wireFields(bytes)) {
    const known = shape[field.number];
    if (!known || (known.as === "string" && field.bytes.length === 0)) continue;
    result[known.name] = value(known.as, field, result[known.name]);
  }
  return result;
}

function value(as: Field["as"], { bytes, varint }: WireField, before: unknown): unknown {
  if (as === "string") return bytes.toString();
  if (as === "bool") return varint === 1;
  if (as === "strings") return [...(Array.isArray(before) ? before : []), bytes.toString()];
  if (typeof as === "object") return message(bytes, as);
  const [key, entry] = [1, 2].map((one) => wireFields(bytes).find((field) => field.number === one)?.bytes ?? Buffer.alloc(0));
  const text = entry ?? Buffer.alloc(0);
  const read =
    as === "map"
      ? text.toString()
      : as === "bytes-map"
        ? text.toString("base64")
        : message(text, { 1: { name: "string", as: "string" } }).string;
  return { ...(typeof before === "object" ? before : {}), [String(key)]: read };
}

type WireField = { number: number; bytes: Buffer; varint: number };

function wireFields(bytes: Buffer): WireField[] {
  const fields: WireField[] = [];
  let at = 0;
  const varint = (): number => {
    let result = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at] ?? 0;
      at += 1;
      result += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return result;
    }
  };
  while (at < bytes.length) {
    const tag = varint();
    const [number, type] = [Math.floor(tag / 8), tag & 7];
    if (type === 0) fields.push({ number, bytes: Buffer.alloc(0), varint: varint() });
    else {
      const length = type === 2 ? varint() : type === 1 ? 8 : 4;
      fields.push({ number, bytes: bytes.subarray(at, at + length), varint: 0 });
      at += length;
    }
  }
  return fields;
}
