import { connectRedis, createDispatcher, openListener, queueTelemetry, type Listener } from "@podq/queue";
import { openStore, type Store } from "@podq/store";
import { createLine, type Line } from "./dispatch.ts";
import type { Asker } from "./callback.ts";
import { asPodqError } from "./errors.ts";
import { createFeeds, type Feeds } from "./feed.ts";

/** Options of {@link connect}. */
export type ConnectOptions = {
  redisUrl: string;
  mongodbUri: string;
  /** BullMQ's key prefix, as the workers have it. Default `bull`. */
  prefix?: string;
  /** Told when Redis failed after a job was accepted: the job is safe, the workers find it a little later. Default: nobody is. */
  onLag?: (error: unknown, jobId: string) => void;
};

/** What the handles of pods and jobs work with. `by`: on whose behalf, where that is a token's holder. */
export type Context = {
  store: Store;
  line: Line;
  listener: Listener;
  feeds: Feeds;
  by?: Asker;
  close: () => Promise<void>;
};

/** Connects to podq's Redis and MongoDB and checks them. Throws PodqError `unavailable`, which names the setting to mend. */
export async function openContext(options: ConnectOptions): Promise<Context> {
  const { redisUrl, mongodbUri, prefix = "bull", onLag = () => undefined } = options;
  const [opened, connected] = await Promise.allSettled([
    openStore({ uri: mongodbUri, appName: "podq-client" }),
    connectRedis(redisUrl, "caller"),
  ]);
  if (opened.status === "rejected" || connected.status === "rejected") {
    if (opened.status === "fulfilled") await opened.value.close();
    if (connected.status === "fulfilled") connected.value.disconnect();
    throw asPodqError(opened.status === "rejected" ? opened.reason : (connected as PromiseRejectedResult).reason);
  }
  const store = opened.value;
  const dispatcher = createDispatcher(connected.value, prefix, undefined, await queueTelemetry());
  const listener = openListener(redisUrl, prefix);
  const line = createLine(store, dispatcher, onLag);
  const feeds = createFeeds(store, line, listener);
  return {
    store,
    line,
    listener,
    feeds,
    async close() {
      await feeds.close();
      listener.close();
      await dispatcher.close();
      await store.close();
    },
  };
}
