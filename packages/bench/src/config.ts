/** Chooses the cluster that everything after this runs on; the real one is described by K8S_SSH_* and PODQ_TEST_* of the environment. */
export function chooseCluster(kind: "embedded" | "real"): void {
  process.env.PODQ_TEST_CLUSTER = kind;
}
