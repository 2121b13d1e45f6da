import type { Line } from "@podq/client/line";
import type { SignalAnswer, SignalName } from "@podq/jobs";
import type { SignalSource } from "@podq/kube";
import type { Store } from "@podq/store";
import type { Logger } from "pino";
import type { Hold } from "./leases.ts";

/** The way of a job's signals from its record to its command, and of the answers back. */
export type SignalRelay = {
  source: SignalSource;
  /** The signal that a command of this exit code died of, if podq sent it. */
  deadlyTo: (exitCode: number) => SignalName | null;
  /** Resolves when the answers so far are in the record. */
  saved: () => Promise<void>;
};

/** Relays the signals of a held job. `numbers`: the number of each signal. */
export function relaySignals(
  store: Pick<Store, "jobs">,
  line: Pick<Line, "nudge">,
  hold: Pick<Hold, "claim" | "signals">,
  numbers: Readonly<Record<SignalName, number>>,
  log: Logger,
): SignalRelay {
  const { claim, signals } = hold;
  const answers = new Map<number, SignalAnswer>();
  let saving = Promise.resolve();

  const save = async (n: number, answer: SignalAnswer): Promise<void> => {
    try {
      if (await store.jobs.answerSignal(claim, n, answer)) await line.nudge(claim.id);
    } catch (error) {
      log.warn({ err: error, signal: n, answer }, "what became of a signal could not be recorded");
    }
  };

  return {
    source: {
      pending: () => signals.all.filter(({ n, answer }) => answer === null && !answers.has(n)),
      onMore(heard) {
        signals.onMore = heard;
        return () => (signals.onMore = () => undefined);
      },
      answer(n, answer) {
        answers.set(n, answer);
        saving = saving.then(async () => save(n, answer));
      },
    },
    deadlyTo(exitCode) {
      const sent = signals.all.filter(({ n, answer }) => (answers.get(n) ?? answer) === "sent");
      return sent.findLast(({ signal }) => exitCode === 128 + numbers[signal])?.signal ?? null;
    },
    saved: async () => saving,
  };
}
