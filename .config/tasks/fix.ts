// `npm run fix`: writes the published JSON Schema anew, formats, and mends what the linter can mend.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { payloadJsonSchema } from "../../packages/jobs/src/index.ts";
import { runSteps, sources } from "./steps.ts";

const schemaFile = join(import.meta.dirname, "../../packages/jobs/payload.schema.json");
writeFileSync(schemaFile, `${JSON.stringify(payloadJsonSchema(), null, 2)}\n`);

process.exitCode = await runSteps([
  { title: "format", argv: ["oxfmt", "-c", ".config/oxfmt.json", ...sources] },
  { title: "lint", argv: ["oxlint", "-c", ".config/oxlint.json", "--type-aware", "--deny-warnings", "--fix"] },
]);
