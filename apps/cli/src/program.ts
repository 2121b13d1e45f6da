import tab from "@bomb.sh/tab/commander";
import { Command } from "commander";
import { addCreate } from "./commands/create.ts";
import { addDelete } from "./commands/delete.ts";
import { addDoctor } from "./commands/doctor.ts";
import { addExec } from "./commands/exec.ts";
import { addHosts } from "./commands/hosts.ts";
import { addFiles } from "./commands/files.ts";
import { addPorts } from "./commands/ports.ts";
import { addPower } from "./commands/power.ts";
import { addRecords } from "./commands/records.ts";
import { addServers } from "./commands/servers.ts";
import { addTemplates } from "./commands/template.ts";
import { addTokens } from "./commands/tokens.ts";
import { addWebhooks } from "./commands/webhooks.ts";
import type { CliContext } from "./context.ts";

/** The whole `podq` command. Wrong use is thrown as a CommanderError. */
export function createProgram(context: CliContext): Command {
  const program = new Command("podq")
    .description("Workspace pods on Kubernetes as background jobs")
    .exitOverride()
    .configureOutput({ writeErr: () => undefined }) // wrong use is told in one line, by whoever catches it
    .configureHelp({ showGlobalOptions: true })
    .helpCommand(false);
  addCreate(program, context);
  addExec(program, context);
  addFiles(program, context);
  addPower(program, context);
  addPorts(program, context);
  addDelete(program, context);
  addRecords(program, context);
  addHosts(program, context);
  addTemplates(program, context);
  addTokens(program, context);
  addWebhooks(program, context);
  addDoctor(program, context);
  addServers(program, context);
  tab(program, { completionCommandName: "completion" });
  program.commands.find((command) => command.name() === "completion")?.description("print what completes podq in a shell: source it");
  return program;
}
