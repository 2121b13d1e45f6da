// What podq's own services build on: the same handles that callers have, over a connection that is shared.
export type { Asker } from "./callback.ts";
export { openContext, type ConnectOptions, type Context } from "./context.ts";
export { PodqError, readError } from "./errors.ts";
export { enqueue } from "./enqueue.ts";
export { jobHandle } from "./job.ts";
export { deleteOwner } from "./owner.ts";
export { podHandle } from "./pod.ts";
export { keptResult } from "./result.ts";
export { openTemplates } from "./templates.ts";
export { toJobStatus, type JobStatus } from "./status.ts";
export { watchJob } from "./watch.ts";
