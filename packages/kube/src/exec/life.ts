// The life of a session, without clock or channel: which phase follows on what, and what silence means.
//
//   opening --greeted--> ready --spent--> draining
//      |                   |                 |
//      +---- refused, garbage, silent, ended, closed ----> over

/** draining: what runs goes on, nothing new begins. */
export type Phase = "opening" | "ready" | "draining" | "over";

/** What can happen to a session. ended: the channel; closed: by us; spent: it served its number of commands. */
export type Happening = "greeted" | "refused" | "garbage" | "silent" | "ended" | "closed" | "spent";

const table: Record<Phase, Partial<Record<Happening, Phase>>> = {
  opening: { greeted: "ready", refused: "over", garbage: "over", silent: "over", ended: "over", closed: "over" },
  ready: { spent: "draining", greeted: "over", refused: "over", garbage: "over", silent: "over", ended: "over", closed: "over" },
  draining: { greeted: "over", refused: "over", garbage: "over", silent: "over", ended: "over", closed: "over" },
  over: {},
};

/** The phase that follows; what has no meaning in a phase changes nothing. */
export function next(phase: Phase, happening: Happening): Phase {
  return table[phase][happening] ?? phase;
}

/** What is known about the other side's being alive; times in ms of one clock. */
export type Pulse = {
  openedMs: number;
  /** Last byte of any kind: slow is not dead. */
  heardMs: number;
  pingedMs: number;
  /** Since when an answer has been due; null if none is. */
  askedMs: number | null;
};

/** Bounds of silence. */
export type Patience = {
  /** From opening to the greeting. */
  greetMs: number;
  /** Between pings; two of them without a byte are the end. */
  pingMs: number;
  /** For an answer that is due, without a byte meanwhile. */
  answerMs: number;
};

/** What to do now: nothing, ping, or give the session up. */
export function judge(phase: Phase, pulse: Pulse, nowMs: number, patience: Patience): "wait" | "ping" | "dead" {
  if (phase === "over") return "wait";
  if (phase === "opening") return nowMs - pulse.openedMs > patience.greetMs ? "dead" : "wait";
  const silenceMs = nowMs - pulse.heardMs;
  if (silenceMs > 2 * patience.pingMs) return "dead";
  if (pulse.askedMs !== null && nowMs - Math.max(pulse.heardMs, pulse.askedMs) > patience.answerMs) return "dead";
  return nowMs - pulse.pingedMs >= patience.pingMs ? "ping" : "wait";
}
