import type { JobDocument, PodDocument, Store, Target } from "@podq/store";

const most = 10_000;

/** Where a worker's commands go. A claim records a guess, so that it need not wait for the pod's record, which is read under the turn. */
export type Aim = ReturnType<typeof createAim>;

/** Remembers in which pods this worker's execs were lately. */
export function createAim(jobs: Pick<Store["jobs"], "retarget">) {
  const known = new Map<string, Target>();

  const remember = (podKey: string, target: Target | null): void => {
    known.delete(podKey);
    if (target !== null) known.set(podKey, target);
    const [oldest] = known.keys();
    if (known.size > most && oldest !== undefined) known.delete(oldest);
  };

  return {
    /** Where an exec of this pod would have gone the last time; null if that is not known. */
    guess: (podKey: string): Target | null => known.get(podKey) ?? null,

    /** The job with the pod on record in which its command may be started now, before anything is sent. Null: the attempt is over. */
    async correct(job: JobDocument, pod: PodDocument | null): Promise<JobDocument | null> {
      if (job.kind !== "exec") return job;
      const target = targetIn(pod);
      // An earlier attempt may have started it there, unless that was a guess beside the pod: an attempt starts nothing before it has
      // mended such a guess, and while the turn is this job's the pod is as it was.
      const guessedWrong = job.target?.guess === true && job.target.podUid !== target?.podUid;
      if (job.attempt > 1 && job.target !== null && !guessedWrong) return job;
      remember(job.podKey, target);
      if (job.target?.podUid === target?.podUid && job.target?.podName === target?.podName) return job;
      return (await jobs.retarget({ id: job._id, attempt: job.attempt }, target)) ? { ...job, target } : null;
    },
  };
}

function targetIn(pod: PodDocument | null): Target | null {
  if (pod === null || pod.podName === null || pod.podUid === null || pod.status !== "running") return null;
  return { podName: pod.podName, podUid: pod.podUid };
}
