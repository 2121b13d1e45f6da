import type { Command } from "commander";
import { exitCodes, type CliContext } from "../context.ts";
import { json, write } from "../output.ts";

/** `podq doctor`: whether a worker with the settings of this environment could work, and if not, what to do. */
export function addDoctor(program: Command, { stdout, exit }: CliContext): void {
  program
    .command("doctor")
    .description("check Redis, MongoDB, the SSH login, kubectl and its rights, and say how to mend each")
    .option("--network", "try now, with a pod of PODQ_NETWORK_IMAGE, whether the cluster's network enforces NetworkPolicies")
    .option("--json", "print JSON")
    .action(async (options: { json?: boolean; network?: boolean }) => {
      const { examine } = await import("@podq/worker");
      const findings = [];
      for await (const finding of examine({ network: options.network === true })) {
        findings.push(finding);
        if (!options.json)
          await write(stdout, `${finding.fit ? (finding.warning ? "warn" : "ok  ") : "FAIL"}  ${finding.what}: ${finding.detail}\n`);
      }
      if (options.json) await write(stdout, json(findings));
      if (findings.some(({ fit }) => !fit)) exit(exitCodes.failed);
    });
}
