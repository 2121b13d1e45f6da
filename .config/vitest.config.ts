import { join } from "node:path";
import { defineConfig } from "vitest/config";
import { ClosingLine } from "./vitest.reporter.ts";

const root = join(import.meta.dirname, "..");
const shared = { root, globals: false, testTimeout: 60_000, hookTimeout: 120_000 };

// unit: no service. integration: real Redis, MongoDB, SSH. cluster: the suites that every cluster must pass, on the embedded
// one, or with PODQ_TEST_CLUSTER=real on the one that K8S_SSH_* and PODQ_TEST_* of the environment describe. The last two wait
// more than they compute, so more of their files run at once than there are processors.
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
          exclude: ["**/*.{int,cluster}.test.ts", "**/node_modules/**"],
          isolate: false,
          maxWorkers: 4,
        },
      },
      {
        test: {
          ...shared,
          name: "integration",
          include: ["{apps,packages}/**/src/**/*.int.test.ts"],
          globalSetup: [".config/vitest.services.ts"],
          maxWorkers: 4,
        },
      },
      {
        test: {
          ...shared,
          name: "cluster",
          include: ["{apps,packages}/**/src/**/*.cluster.test.ts"],
          globalSetup: [".config/vitest.services.ts"],
          testTimeout: 180_000,
          maxWorkers: 4,
        },
      },
    ],
  },
});
