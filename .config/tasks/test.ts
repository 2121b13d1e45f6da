// `npm test`: the gate. Extra arguments go to vitest; unless they name projects, all but the long one run.
import { runSteps, sources } from "./steps.ts";

const extra = process.argv.slice(2);
const projects = extra.some((word) => word.startsWith("--project")) ? [] : ["--project=!chaos"];

process.exitCode = await runSteps([
  { title: "format", argv: ["oxfmt", "-c", ".config/oxfmt.json", "--check", ...sources] },
  { title: "lint", argv: ["oxlint", "-c", ".config/oxlint.json", "--type-aware", "--deny-warnings"] },
  { title: "types", argv: ["tsc", "-p", ".config/tsconfig.json"] },
  { title: "types of the pages", argv: ["tsc", "-p", "apps/api/assets/tsconfig.json"] },
  { title: "dead exports", argv: ["knip", "-c", ".config/knip.json"] },
  { title: "tests", argv: ["vitest", "run", "-c", ".config/vitest.config.ts", ...projects, ...extra] },
]);
