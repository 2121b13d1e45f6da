import { runnable, unfinishedStates } from "@podq/jobs";
import type { JobStore, LineEntry } from "@podq/store";

type Looks = Pick<JobStore, "head" | "list" | "stranded" | "turn">;

const wholeLine = 1_000;

/** The unfinished jobs of a pod in order. */
export async function lineOf(jobs: Pick<JobStore, "list">, podKey: string): Promise<LineEntry[]> {
  const found = await Promise.all(unfinishedStates.map(async (state) => jobs.list({ podKey, state }, wholeLine)));
  return found.flat().toSorted((a, b) => a.seq.compare(b.seq));
}

/** Looks that do not see some jobs yet, as a read does not that comes before the insert is visible. */
export function hiding<Jobs extends Looks>(jobs: Jobs, hidden: ReadonlySet<string>): Jobs {
  const isSeen = ({ _id }: { _id: string }): boolean => !hidden.has(_id);
  const seenHead = async (podKey: string): Promise<LineEntry[]> => runnable((await lineOf(jobs, podKey)).filter(isSeen));
  return {
    ...jobs,
    head: async (podKey) => (hidden.size === 0 ? jobs.head(podKey) : seenHead(podKey)),
    turn: async (podKey, id) =>
      hidden.size === 0 ? jobs.turn(podKey, id) : { mayRun: (await seenHead(podKey)).some(({ _id }) => _id === id), next: null },
    stranded: async () => (await jobs.stranded()).filter(isSeen),
  };
}
