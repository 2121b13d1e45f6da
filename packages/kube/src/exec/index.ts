export { createExecs, type ExecEvent, type Execs, type ExecsOptions } from "./exec.ts";
export { signalNumbers } from "./outcome.ts";
export type {
  ExecControl,
  ExecOutcome,
  ExecRequest,
  ExecTarget,
  LiveInput,
  Piece,
  SignalAnswer,
  SignalName,
  SignalSource,
} from "./outcome.ts";
export type { SessionStats } from "./sessions.ts";
