// `npm run fix`: formats, and mends what the linter can mend.
import { runSteps } from "./steps.ts";

process.exitCode = await runSteps([
  { title: "format", argv: ["oxfmt", "-c", ".config/oxfmt.json", "."] },
  { title: "lint", argv: ["oxlint", "-c", ".config/oxlint.json", "--type-aware", "--deny-warnings", "--fix"] },
]);
