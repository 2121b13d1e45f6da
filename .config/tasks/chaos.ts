// `npm run chaos -- --faults 1000 --seed S`: packages/chaos/README.md says what is done and judged.
import { runChaos } from "../../packages/chaos/src/index.ts";

const stop = new AbortController();
process.once("SIGINT", () => stop.abort(new Error("interrupted"))).once("SIGTERM", () => stop.abort(new Error("terminated")));
process.exitCode = await runChaos(process.argv.slice(2), stop.signal);
