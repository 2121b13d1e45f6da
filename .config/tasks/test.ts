// `npm test`: the gate. Extra arguments go to vitest.
import { runSteps, sources } from "./steps.ts";

process.exitCode = await runSteps([
  { title: "format", argv: ["oxfmt", "-c", ".config/oxfmt.json", "--check", ...sources] },
  { title: "lint", argv: ["oxlint", "-c", ".config/oxlint.json", "--type-aware", "--deny-warnings"] },
  { title: "types", argv: ["tsc", "-p", ".config/tsconfig.json"] },
  { title: "types of the pages", argv: ["tsc", "-p", "apps/api/assets/tsconfig.json"] },
  { title: "dead exports", argv: ["knip", "-c", ".config/knip.json"] },
  { title: "tests", argv: ["vitest", "run", "-c", ".config/vitest.config.ts", ...process.argv.slice(2)] },
]);
