import type { Deployment } from "./objects.ts";

/** Pod Security levels that a pod can have. A third, privileged, does not exist here. */
export type Level = "restricted" | "baseline";

/** The namespace's labels by which the cluster keeps the level. */
export function levelLabels(level: Level = "restricted"): Record<string, string> {
  return { "pod-security.kubernetes.io/enforce": level, "pod-security.kubernetes.io/enforce-version": "latest" };
}

/** The pod's own part in it: one number is uid, gid and fsGroup. Root is for the level to refuse, and "restricted" does. */
export function podSecurity(user: number, level: Level = "restricted"): object {
  const who = { runAsUser: user, runAsGroup: user, fsGroup: user, seccompProfile: { type: "RuntimeDefault" } };
  return level === "restricted" ? { runAsNonRoot: true, ...who } : who;
}

/** The container's part: at "baseline" sudo works, with the capabilities that a container has by default and no more. */
export function containerSecurity(level: Level = "restricted"): object {
  return level === "restricted" ? { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } } : { allowPrivilegeEscalation: true };
}

/** The level that a Deployment was made for. */
export function levelOf({ spec }: Deployment): Level {
  return spec.template.spec.containers[0]?.securityContext?.allowPrivilegeEscalation === false ? "restricted" : "baseline";
}
