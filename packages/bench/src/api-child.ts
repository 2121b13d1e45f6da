// An API in a process of its own, as `podq api` is, that does not outlive the bench.
import { readConfig, startApi, type Api } from "@podq/api";
import { pino } from "pino";
import { settingsOf } from "./child.ts";

/** Where it listens. */
export type ApiReady = { url: string };

let api: Api | undefined;
const config = readConfig(await settingsOf<Record<string, string>>(async () => api?.stop()));
api = await startApi(config, pino({ level: "error" }, pino.destination(2)));
const ready: ApiReady = { url: api.url };
process.send?.(ready);
process.send?.("ready");
