import { timestamp } from "./object.ts";
import type { KubeObject } from "./object.ts";

/** The one node of the cluster, as it registers itself. */
export function makeNode(facts: { address: string; cpus: number; memoryBytes: number }): KubeObject {
  const memory = `${Math.floor(facts.memoryBytes / 1024)}Ki`;
  const room = { cpu: String(facts.cpus), memory, pods: "250", "ephemeral-storage": "264212084Ki" };
  const arch = process.arch === "x64" ? "amd64" : process.arch;
  const now = timestamp();
  return {
    apiVersion: "v1",
    kind: "Node",
    metadata: {
      name: "n1",
      uid: "",
      resourceVersion: "",
      creationTimestamp: "",
      labels: { "kubernetes.io/arch": arch, "kubernetes.io/hostname": "n1", "kubernetes.io/os": "linux" },
    },
    spec: {},
    status: {
      addresses: [
        { address: facts.address, type: "InternalIP" },
        { address: "n1", type: "Hostname" },
      ],
      allocatable: room,
      capacity: room,
      conditions: [
        {
          type: "Ready",
          status: "True",
          reason: "KubeletReady",
          message: "kubelet is posting ready status",
          lastHeartbeatTime: now,
          lastTransitionTime: now,
        },
      ],
      nodeInfo: { architecture: arch, operatingSystem: "linux", kubeletVersion: "v1.36.3", containerRuntimeVersion: "processes://1" },
    },
  };
}
