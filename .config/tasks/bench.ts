// `npm run bench exec`, `npm run bench queue`, `npm run bench backlog`: packages/bench/README.md says what is measured.
import { runBench } from "../../packages/bench/src/index.ts";

const stop = new AbortController();
process.once("SIGINT", () => stop.abort(new Error("interrupted"))).once("SIGTERM", () => stop.abort(new Error("terminated")));
process.exitCode = await runBench(process.argv.slice(2), stop.signal);
