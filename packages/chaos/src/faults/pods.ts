import { setTimeout as delay } from "node:timers/promises";
import type { PodDocument } from "@podq/store";
import type { Field, Inject } from "./field.ts";

const goneWithinMs = 30_000;

/** Somebody deletes a pod's namespace, past podq. */
export const deleteNamespace: Inject = async (field, { roll }) => {
  const found = await running(field, roll);
  if (found === null) return null;
  const { key, namespace } = found;
  const uid = await ask(field, ["get", "namespace", namespace, "-o", "jsonpath={.metadata.uid}"]);
  if (uid === null) return null;
  const fromMs = Date.now();
  await ask(field, ["delete", "namespace", namespace, "--wait=false"]);
  const seen = await until(async () => {
    const now = await ask(field, ["get", "namespace", namespace, "--ignore-not-found", "-o", "jsonpath={.metadata.uid}"]);
    return now !== null && now !== uid;
  });
  field.tell({ event: "harmed", pod: key, fromMs, toMs: Date.now() });
  return seen ? { what: `namespace ${namespace} was deleted behind podq's back` } : null;
};

/** Somebody deletes a pod of a Deployment, past podq: the cluster makes another. */
export const deletePod: Inject = async (field, { roll }) => {
  const found = await running(field, roll);
  if (found === null) return null;
  const { key, namespace } = found;
  const names = ["get", "pods", "--namespace", namespace, "-o", "name"];
  const before = await ask(field, names);
  if (!before) return null;
  const fromMs = Date.now();
  await ask(field, ["delete", "pods", "--all", "--namespace", namespace, "--wait=false"]);
  const old = before.split("\n");
  const seen = await until(async () => {
    const now = await ask(field, names);
    return now !== null && !now.split("\n").some((name) => name !== "" && old.includes(name));
  });
  field.tell({ event: "harmed", pod: key, fromMs, toMs: Date.now() });
  return seen ? { what: `${before.trim()} of ${namespace} was deleted behind podq's back` } : null;
};

async function running({ scene }: Field, roll: number): Promise<{ key: string; namespace: string } | null> {
  const pods = await scene.db.collection<PodDocument>("pods").find({ status: "running" }).sort({ _id: 1 }).toArray();
  const pod = pods[roll % Math.max(1, pods.length)];
  return pod === undefined ? null : { key: pod._id, namespace: pod.namespace };
}

async function ask({ scene }: Field, args: readonly string[]): Promise<string | null> {
  const { code, stdout } = await scene.cluster.kubectl(args);
  return code === 0 ? stdout : null;
}

async function until(isSo: () => Promise<boolean>): Promise<boolean> {
  const end = performance.now() + goneWithinMs;
  for (; performance.now() < end; await delay(200)) if (await isSo()) return true;
  return false;
}
