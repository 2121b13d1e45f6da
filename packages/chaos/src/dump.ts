import type { Params } from "@podq/jobs";
import type { JobDocument, PodRecord } from "@podq/store";
import type { Db } from "mongodb";
import type { JobRecord } from "./check/history.ts";

type Piece = { job: string; run: number; stream: "stdout" | "stderr"; offset: number; data: { buffer: Uint8Array } };

/** All jobs as MongoDB has them, with their output. */
export async function dumpJobs(db: Db): Promise<JobRecord[]> {
  const jobs = await db.collection<JobDocument>("jobs").find().toArray();
  const pieces = await db.collection<Piece>("output").find().sort({ offset: 1 }).toArray();
  const output = new Map<string, string>();
  for (const { job, run, stream, data } of pieces) {
    const key = `${job} ${run} ${stream}`;
    output.set(key, (output.get(key) ?? "") + Buffer.from(data.buffer).toString());
  }
  return jobs.map((job) => ({
    id: job._id,
    kind: job.kind,
    podKey: job.podKey,
    seq: job.seq.t * 1_000_000 + job.seq.i,
    state: job.state,
    parallel: job.parallel,
    token: job.labels.chaos ?? null,
    run: job.run,
    attempts: job.attempts.map(({ n, worker, startedAt, endedAt, why }) => ({
      n,
      worker,
      startedAtMs: startedAt.getTime(),
      endedAtMs: endedAt?.getTime() ?? null,
      why,
    })),
    cancelAsked: job.cancel !== null,
    expiry: "ifOverdue" in job.params && job.params.ifOverdue ? "ttl" : "ifIdle" in job.params && job.params.ifIdle ? "idle" : null,
    key: job.idempotencyKey,
    givesTtl: "ttlMs" in job.params && job.params.ttlMs !== undefined,
    askedImage: job.kind === "create" && !job.template ? (job.params as Params<"create">).image : null,
    askedTemplate: templateText(job.template),
    made: madeOf(job.result),
    clears: "cancelPending" in job.params && job.params.cancelPending === true,
    exitCode: (job.result as { exitCode?: number | null } | null)?.exitCode ?? null,
    error: job.error,
    hasTurn: job.turn !== undefined,
    history: job.history.map(({ version, state, attempt }) => ({ version, state, attempt })),
    startedAtMs: job.startedAt?.getTime() ?? null,
    endedAtMs: job.endedAt?.getTime() ?? null,
    stdout: output.get(`${job._id} ${job.run} stdout`) ?? "",
    stderr: output.get(`${job._id} ${job.run} stderr`) ?? "",
  }));
}

function madeOf(result: unknown): JobRecord["made"] {
  const { generation, image, template, differs } = (result ?? {}) as Partial<PodRecord>;
  if (generation === undefined || image === undefined) return null;
  return { generation, image, template: templateText(template), differs: differs?.length ?? 0 };
}

function templateText(version: { name: string; version: number } | null | undefined): string | null {
  return version ? `${version.name}@${version.version}` : null;
}
