export { addressRule, isAddressRange, literalAddress } from "./addresses.ts";
export {
  isKind,
  kinds,
  onTemplate,
  parseRequest,
  parseTemplate,
  payloadJsonSchema,
  requestBodies,
  stdinBytes,
  templateBodySchema,
  type CreateParams,
  type JobRequest,
  type Kind,
  type Params,
  type ParamsInput,
  type TemplateBody,
} from "./catalog.ts";
export { codes, type Code, type Failure } from "./codes.ts";
export { callbackUrl as callbackUrlSchema, inQuery, labelPairs } from "./fields.ts";
export { deliveryStates, type DeliveryRecord, type DeliveryState, type DeliveryTry } from "./delivery.ts";
export { RequestError } from "./errors.ts";
export { runnable, slotsPerPod, successor, turnOf, type InLine } from "./line.ts";
export { defaultPodName, ownerIdSchema, ownerParts, ownerSchema, ownerTextSchema, podKey, podNameSchema, type Owner } from "./owner.ts";
export { portWait } from "./ports.ts";
export {
  isTerminal,
  jobStates,
  mayJobMove,
  mayPodMove,
  podStatuses,
  unfinishedStates,
  type JobState,
  type PodStatus,
  type TerminalState,
} from "./states.ts";
export { signalAnswers, signalNames, type SignalAnswer, type SignalName, type SignalRecord } from "./signals.ts";
export { templateNameSchema, templateRef, templateRefSchema, type TemplateVersion } from "./template.ts";
export { hostWire, jobWire, jobWithResultWire, ownerDeletionWire, podWire, templateWire } from "./wire.ts";
export type { ExecRecord } from "./results.ts";
