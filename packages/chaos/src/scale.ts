import type { LoadPlan } from "./work/load.ts";

/** How much there is of everything, besides the faults. */
export type Scale = { workers: number; producers: number; pods: number; lanes: number } & Omit<LoadPlan, "projects">;

/** The scale of a run on each kind of cluster. */
export const scales: Record<"embedded" | "real", Scale> = {
  embedded: { workers: 4, producers: 3, pods: 10, chains: 4, pauseMs: 400, mix: "everything", lanes: 4 },
  real: { workers: 4, producers: 3, pods: 8, chains: 3, pauseMs: 600, mix: "everything", lanes: 3 },
};
