import { join } from "node:path";
import { defineConfig } from "vitest/config";
import { ClosingLine } from "./vitest.reporter.ts";

const root = join(import.meta.dirname, "..");
const shared = { root, globals: false, testTimeout: 30_000, hookTimeout: 120_000 };

// unit: no service. integration: real Redis, MongoDB, SSH. cluster: the suites that every cluster must pass, on the embedded
// one, or with PODQ_TEST_CLUSTER=real on the one that K8S_SSH_* and PODQ_TEST_* of the environment describe. chaos: faults for
// minutes; not a part of `npm test`.
export default defineConfig({
  test: {
    root,
    reporters: ["default", new ClosingLine()],
    dangerouslyIgnoreUnhandledErrors: false,
    projects: [
      {
        test: {
          ...shared,
          name: "unit",
          include: ["{apps,packages}/**/src/**/*.test.ts"],
          exclude: ["**/*.{int,cluster,chaos}.test.ts", "**/node_modules/**"],
        },
      },
      {
        test: {
          ...shared,
          name: "integration",
          include: ["{apps,packages}/**/src/**/*.int.test.ts"],
          globalSetup: [".config/vitest.services.ts"],
          maxWorkers: 2,
        },
      },
      {
        test: {
          ...shared,
          name: "cluster",
          include: ["{apps,packages}/**/src/**/*.cluster.test.ts"],
          globalSetup: [".config/vitest.services.ts"],
          testTimeout: 90_000,
          maxWorkers: 2,
        },
      },
      { test: { ...shared, name: "chaos", include: ["{apps,packages}/**/src/**/*.chaos.test.ts"], maxWorkers: 1 } },
    ],
  },
});
