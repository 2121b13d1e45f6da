export { runChaos } from "./run.ts";
