import type { HostRecord } from "@podq/client";
import type { Command } from "commander";
import { withPodq, type CliContext } from "../context.ts";
import { age, json, write } from "../output.ts";
import { table } from "../table.ts";

/** `podq hosts`: where pods are placed, and whether that can be reached. */
export function addHosts(program: Command, { stdout }: CliContext): void {
  program
    .command("hosts")
    .description("list the hosts that pods are placed on, as the workers see them")
    .option("--json", "print JSON")
    .action(async (options: { json?: boolean }) => {
      const hosts = await withPodq(async (podq) => podq.hosts());
      const rows = hosts.map((host) => [
        host.name,
        stateOf(host),
        `${host.pods}${host.capacity === null ? "" : `/${host.capacity}`}`,
        String(host.weight),
        host.seenAt === null ? "never" : age(host.seenAt),
        `${host.username}@${host.address}:${host.port}`,
        Object.entries(host.labels)
          .map(([key, value]) => `${key}=${value}`)
          .join(","),
      ]);
      const head = ["HOST", "STATE", "PODS", "WEIGHT", "SEEN", "SSH", "LABELS"];
      await write(stdout, options.json ? json(hosts) : table(head, rows, stdout.columns));
    });
}

function stateOf({ up, drained, error }: HostRecord): string {
  const words = [up ? "up" : "down", ...(drained ? ["drained"] : [])].join(", ");
  return error === null ? words : `${words} (${error.code})`;
}
