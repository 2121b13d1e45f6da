import { setTimeout as delay } from "node:timers/promises";
import type { Fleet, Member } from "../fleet.ts";
import type { Inject } from "./field.ts";

const atPointWithinMs = 8_000;

/** SIGKILL of the worker that has most to do. */
export const killWorker: Inject = async ({ fleet }) => {
  const busy = await busiest(fleet);
  if (busy === undefined) return null;
  const { member, jobs } = busy;
  member.leaving = "SIGKILL";
  member.child.signal("SIGKILL");
  const how = await member.child.exited;
  return how === "SIGKILL" ? { what: `worker ${member.child.pid} died with ${jobs.length} jobs`, worker: `-${member.child.pid}-` } : null;
};

/** SIGSTOP of the worker that has most to do, and SIGCONT when its leases are over. */
export const pauseWorker: Inject = async ({ fleet, scene, leaseMs }, { forMs }) => {
  const busy = await busiest(fleet);
  if (busy === undefined) return null;
  const { member, jobs } = busy;
  member.paused = true;
  member.child.signal("SIGSTOP");
  try {
    await delay(leaseMs * 1.2 + forMs);
    const kept = await scene.db
      .collection("jobs")
      .countDocuments({ _id: { $in: jobs as never[] }, worker: { $regex: `-${member.child.pid}-` }, state: "running" });
    if (kept === jobs.length) return null;
    return {
      what: `worker ${member.child.pid} slept through the leases of ${jobs.length} jobs; ${jobs.length - kept} went on without it`,
      worker: `-${member.child.pid}-`,
    };
  } finally {
    member.child.signal("SIGCONT");
    member.paused = false;
  }
};

/** A worker that kills itself at a point. */
export const dieAtPoint: Inject = async ({ fleet }, { point }) => {
  const member = await fleet.arm(point, "SIGKILL", atPointWithinMs);
  if (member === undefined) return null;
  await member.child.exited;
  return { what: `worker ${member.child.pid} died at ${point}`, worker: `-${member.child.pid}-` };
};

/** A worker that stops itself at a point, and goes on from there when its leases are over. */
export const freezeAtPoint: Inject = async ({ fleet, leaseMs }, { point, forMs }) => {
  const member = await fleet.arm(point, "SIGSTOP", atPointWithinMs);
  if (member === undefined) return null;
  await delay(leaseMs * 1.2 + forMs);
  member.child.signal("SIGCONT");
  member.paused = false;
  return { what: `worker ${member.child.pid} slept at ${point} beyond its leases`, worker: `-${member.child.pid}-` };
};

/** An orderly restart of one worker: it has to hand over and to exit with 0. */
export const restartWorker: Inject = async ({ fleet }, { roll }) => {
  const members = fleet.members();
  const member = members[roll % members.length];
  if (member === undefined) return null;
  member.leaving = 0;
  member.child.signal("SIGTERM");
  return (await member.child.exited) !== 0
    ? null
    : { what: `worker ${member.child.pid} handed over and exited with 0`, worker: `-${member.child.pid}-` };
};

async function busiest(fleet: Fleet): Promise<{ member: Member; jobs: string[] } | undefined> {
  const [first] = (await fleet.held()).toSorted((a, b) => b.jobs.length - a.jobs.length);
  return first !== undefined && first.jobs.length > 0 ? first : undefined;
}
