import { podWire } from "@podq/jobs";
import { expect, it } from "vitest";
import { wholePodRecord, type PodRecord } from "./pods.ts";

const at = new Date(0);

// As the first version kept it with a job.
const early = {
  owner: { project: "p1" },
  name: "default",
  status: "running" as const,
  generation: 1,
  namespace: "podq-p1-0-1",
  namespaceUid: null,
  podName: null,
  podUid: null,
  differs: [],
  image: "busybox",
  resources: { memory: "1Mi", cpu: "1m", memoryRequests: "1Mi", cpuRequests: "1m" },
  service: { nodePort: 30000, accessUrl: null, ports: [{ name: "http", port: 8080, nodePort: 30000 }] },
  host: { name: "default", address: "h", port: 22, username: "u" },
  error: null,
  labels: {},
  version: 1,
  createdAt: at,
  updatedAt: at,
  startedAt: at,
  stoppedAt: null,
  observedAt: at,
};

it("a record that an earlier version kept goes over HTTP, with null for what there was not yet", () => {
  const record = podWire.encode(wholePodRecord(early as unknown as PodRecord));
  expect(record).toMatchObject({ updated: [], template: null, cause: null, restarts: null, networkEnforced: null, expiry: null });
  expect(record.service).toMatchObject({ access: null, ports: [{ protocol: null, url: null }] });
});
