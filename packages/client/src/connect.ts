import type { JobState, PodStatus } from "@podq/jobs";
import { ownerPrefix, toPodRecord, type HostRecord, type PodRecord } from "@podq/store";
import { openContext, type ConnectOptions } from "./context.ts";
import { asPodqError, PodqError } from "./errors.ts";
import { connectHttp } from "./http/connect.ts";
import type { HttpOptions } from "./http/transport.ts";
import { jobHandle, type Job } from "./job.ts";
import { deleteOwner, type OwnerDeletion } from "./owner.ts";
import { podHandle, type DeleteOptions, type Pod, type PodAddress } from "./pod.ts";
import { openTemplates, type Templates } from "./templates.ts";
import { toJobStatus, type JobStatus } from "./status.ts";

/** Which pods to list: all of an owner's, those in one status, those with all the labels. */
export type PodsFilter = { project?: string; conversation?: string; status?: PodStatus; labels?: Record<string, string> };

/** Which jobs to list: of an owner (or of one of his pods), in one state. */
export type JobsFilter = { project?: string; conversation?: string; name?: string; state?: JobState };

/** The way to podq for any service. */
export type Podq = AsyncDisposable & {
  /** The pod of an owner. Throws PodqError `owner-missing`, `invalid-request`. */
  pod: (address: PodAddress) => Pod;
  /**
   * Enqueues a delete of each pod that an owner has, or will have when the jobs that wait there have run. Returns as soon as they are
   * accepted; what could not be accepted is told beside them. Throws PodqError if it cannot be known which pods those are.
   */
  deleteOwner: (owner: { project?: string; conversation?: string }, options?: DeleteOptions) => Promise<OwnerDeletion>;
  /** A job by its id, whoever enqueued it. */
  job: (id: string) => Job;
  /** What pods are made from. */
  templates: Templates;
  /** Records of pods, in the order of their keys. */
  pods: (filter?: PodsFilter) => AsyncIterable<PodRecord>;
  /** Jobs, newest first. */
  jobs: (filter?: JobsFilter) => AsyncIterable<Job & { readonly at: JobStatus }>;
  /** The hosts that pods are placed on, by name, as the workers last saw them. */
  hosts: () => Promise<HostRecord[]>;
  /** Closes the connections. Cancels the jobs whose standard input this process was still writing. */
  close: () => Promise<void>;
};

const pageSize = 100;

/**
 * Connects to podq: to its Redis and MongoDB, or with `{ url, token }` to its API. Throws PodqError `unavailable`, which names
 * the setting to mend, or `forbidden`.
 */
export async function connect(options: ConnectOptions | HttpOptions): Promise<Podq> {
  if ("url" in options) return connectHttp(options);
  const context = await openContext(options);
  const { store, close } = context;
  return {
    pod: (address) => podHandle(context, address),
    deleteOwner: async (owner, options) => deleteOwner(context, owner, options),
    job: (id) => jobHandle(context, id),
    templates: openTemplates(store),
    async *pods({ project, conversation, status, labels } = {}) {
      const owner =
        project === undefined
          ? conversation === undefined
            ? undefined
            : ({ kind: "conversation", id: conversation } as const)
          : ({ kind: "project", id: project } as const);
      const filter = { ...(owner && { owner }), ...(status && { status }), ...(labels && { labels }) };
      for (let after: string | undefined; ;) {
        const page = await store.pods.list({ ...filter, ...(after !== undefined && { after }) }, pageSize);
        const sightings = await store.sightings.latest();
        for (const document of page) yield toPodRecord(document, sightings);
        after = page.at(-1)?._id;
        if (page.length < pageSize) return;
      }
    },
    async *jobs({ state, name, ...owner } = {}) {
      const prefixOf = ownerOf(owner) && ownerPrefix(podHandle(context, owner).owner);
      if (name !== undefined && prefixOf === undefined)
        throw new PodqError("invalid-request", "name: names one of an owner's pods, so give the owner too");
      const filter = {
        ...(state && { state }),
        ...(prefixOf !== undefined && (name === undefined ? { podKeyPrefix: prefixOf } : { podKey: prefixOf + name })),
      };
      for (let before: { createdAt: Date; id: string } | undefined; ;) {
        const page = await store.jobs.list({ ...filter, ...(before && { before }) }, pageSize);
        for (const job of page) yield { ...jobHandle(context, job._id), at: toJobStatus(job, null) };
        const last = page.at(-1);
        before = last && { createdAt: last.createdAt, id: last._id };
        if (page.length < pageSize) return;
      }
    },
    hosts: async () => store.hosts.list().catch((error: unknown) => Promise.reject(asPodqError(error))),
    close,
    [Symbol.asyncDispose]: close,
  };
}

function ownerOf(owner: { project?: string; conversation?: string }): true | undefined {
  return owner.project !== undefined || owner.conversation !== undefined ? true : undefined;
}
