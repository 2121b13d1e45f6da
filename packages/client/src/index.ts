export type { HttpOptions } from "./http/transport.ts";
export type { ConnectOptions } from "./context.ts";
export { connect, type JobsFilter, type Podq, type PodsFilter } from "./connect.ts";
export { PodqError } from "./errors.ts";
export type { Files } from "./files/files.ts";
export type { FileEntry, FileType } from "./files/list.ts";
export type { PodPath } from "./files/paths.ts";
export type { FileOptions } from "./files/programs.ts";
export type { PutOptions, Transferred } from "./files/put.ts";
export type { TreeOptions } from "./files/tree.ts";
export type { InputStream } from "./feed.ts";
export type { Job, RetryOptions, Subscription } from "./job.ts";
export type { OutputOptions, OutputPiece } from "./output.ts";
export type { OwnerDeletion } from "./owner.ts";
export type {
  CreateOptions,
  DeleteOptions,
  EnqueueOptions,
  ExecOptions,
  ExposeOptions,
  Pod,
  PodAddress,
  TimedOptions,
  UnexposeOptions,
  WaitForPortOptions,
} from "./pod.ts";
export { JobError, OutputBytes, type ExecResult, type ResultOf } from "./result.ts";
export type { JobStatus } from "./status.ts";
export type { Template, Templates } from "./templates.ts";
export type {
  Code,
  DeliveryRecord,
  DeliveryState,
  DeliveryTry,
  JobState,
  Kind,
  Owner,
  PodStatus,
  SignalAnswer,
  SignalName,
  SignalRecord,
} from "@podq/jobs";
export type { HostRecord, PodRecord, TemplateRecord } from "@podq/store";
