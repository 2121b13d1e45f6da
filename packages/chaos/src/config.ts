/** Chooses the cluster that everything after this runs on; the real one is described by K8S_SSH_* and PODQ_TEST_* of the environment. */
export function chooseCluster(kind: "embedded" | "real"): void {
  process.env.PODQ_TEST_CLUSTER = kind;
}

/** A program that ends and starts the parts of a real cluster, `part kill NAME` and `part start NAME`; undefined: there is none. */
export function clusterPart(): string | undefined {
  return process.env.PODQ_TEST_CLUSTER_PART || undefined;
}
