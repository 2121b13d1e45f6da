import { mkdtemp, symlink } from "node:fs/promises";
import { delimiter, dirname, join } from "node:path";
import { kubectlBinary } from "./binaries.ts";

/** The environment of a host on which `kubectl` reaches a cluster. */
export type HostEnv = { env: Record<string, string>; home: string };

/**
 * Makes the home of an SSH host's login: kubectl is on its PATH under that name, and talks to the cluster of `kubeconfig`. It
 * lies in the cluster's own folder and goes with it, whatever ends this process.
 */
export async function makeHostEnv(kubeconfig: string): Promise<HostEnv> {
  const home = await mkdtemp(join(dirname(kubeconfig), "home-"));
  await symlink(await kubectlBinary(), join(home, "kubectl"));
  const path = [home, ...(process.env.PATH ?? "/usr/bin:/bin").split(delimiter)].join(delimiter);
  return { env: { HOME: home, PATH: path, KUBECONFIG: kubeconfig }, home };
}
