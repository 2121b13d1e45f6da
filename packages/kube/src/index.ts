export { clusterId } from "./cluster-id.ts";
export { tryEnforcement } from "./enforcement.ts";
export type { Enforcement } from "./enforcement.ts";
export { KubeError, kubeCodes } from "./errors.ts";
export type { KubeCode } from "./errors.ts";
export type { PodSpec, Resources } from "./manifest.ts";
export { containerName } from "./manifest.ts";
export { installationPattern, podNames } from "./names.ts";
export type { PodIdentity, PodKey } from "./names.ts";
export type { PodObservation } from "./observation.ts";
export type { PodField } from "./differs.ts";
export { wrongUrlTemplate } from "./ingress.ts";
export type { IngressSettings } from "./ingress.ts";
export { createPods } from "./pods.ts";
export type { Fence } from "./fence.ts";
export type { IfChanged } from "./change.ts";
export type { Control, CreateControl, Found, WriteControl, Pods, PodsOptions } from "./pods.ts";
export type { Mirror, MirrorListener } from "./mirror.ts";
export type { Ended, Sight } from "./sight.ts";
export type { Verdict } from "./verdict.ts";
export type { Probes } from "./probes.ts";
export type { Restarts } from "./restarts.ts";
export { parseQuantity } from "./quantity.ts";
export type { PodRef } from "./remove.ts";
export type { Channel, Exit, Failure, FailureKind, Open, OpenOptions, Run, RunOptions } from "./run.ts";
export { createExecs, signalNumbers, type ExecEvent, type Execs, type ExecsOptions } from "./exec/index.ts";
export type {
  ExecControl,
  ExecOutcome,
  ExecRequest,
  ExecTarget,
  LiveInput,
  Piece,
  SessionStats,
  SignalAnswer,
  SignalName,
  SignalSource,
} from "./exec/index.ts";
