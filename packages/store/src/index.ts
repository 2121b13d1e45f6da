export type { Chunk, OutputStore, Stream } from "./chunks.ts";
export { isUnreachable, StoreError, type StoreCode } from "./errors.ts";
export type { InputStore } from "./input.ts";
export type { Attempt, JobDocument, JobEvent, Target } from "./job-schema.ts";
export type { Claim, Ending, Held, JobFilter, JobStore, LineEntry } from "./jobs.ts";
export type { LeaseStore } from "./lease.ts";
export type { ClusterIdentity, PodDocument, Resources } from "./pod-schema.ts";
export { ownerPrefix, toPodRecord, type NewPod, type PodFilter, type PodPatch, type PodRecord, type PodStore } from "./pods.ts";
export { openStore, type Store, type StoreOptions } from "./store.ts";
