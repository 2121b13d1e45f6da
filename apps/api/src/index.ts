export { startApi, type Api } from "./compose.ts";
export { ConfigError, readConfig, type ApiConfig } from "./config.ts";
export { runApi } from "./run.ts";
