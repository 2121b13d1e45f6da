import type { PoolEvent } from "./host.ts";
import type { Started } from "./lane.ts";
import { killLine, MOST_TOKENS } from "./remote-shell.ts";
import { delay, Stop } from "./stop.ts";

const AT_ONCE = 4;
const MOST_ORPHANS = 1000;
const MOST_TRIES = 3;

/** How the killer gets onto the host: a free place beside the limits if there is one, else a place in the queue. */
export type StartKiller = (line: string, stop: Stop) => Promise<Started>;

/** Ends commands on the host by their tokens. */
export type Reaper = {
  /** True once no process of the command is left. False after the time for it: then it is tried again when the host is next reached. */
  kill(token: string): Promise<boolean>;
  /** A command whose connection went: to be ended now, or when the host is next reached. Nobody waits for it. */
  orphan(token: string): void;
  /** The host has been reached: ends what is left over. */
  sweep(): void;
};

/** Collects tokens while killers are busy, so that a hundred time-outs at once are a few killers. */
export function createReaper(start: StartKiller, timeoutMs: number, onEvent: (event: PoolEvent) => void): Reaper {
  const waiting = new Map<string, PromiseWithResolvers<boolean>>();
  const orphans = new Map<string, number>();
  let running = 0;

  const work = async (): Promise<void> => {
    if (running >= AT_ONCE) return;
    running += 1;
    await Promise.resolve(); // all that ask in this very moment share one killer
    while (waiting.size > 0) {
      const batch = new Map([...waiting].slice(0, MOST_TOKENS));
      for (const token of batch.keys()) waiting.delete(token);
      const done = await killAll([...batch.keys()]);
      for (const asked of batch.values()) asked.resolve(done);
    }
    running -= 1;
  };

  const kill = (token: string): Promise<boolean> => {
    const asked = waiting.get(token) ?? Promise.withResolvers<boolean>();
    waiting.set(token, asked);
    void work();
    return asked.promise;
  };

  const killAgain = async (token: string, tries: number): Promise<void> => {
    if (!(await kill(token))) remember(token, tries);
  };

  const remember = (token: string, tries = 0): void => {
    if (orphans.size < MOST_ORPHANS && tries < MOST_TRIES) orphans.set(token, tries);
  };

  return {
    kill: async (token) => {
      const done = await kill(token);
      if (!done) remember(token);
      return done;
    },
    orphan: (token) => void killAgain(token, 0),
    sweep: () => {
      const left = [...orphans];
      orphans.clear();
      for (const [token, tries] of left) void killAgain(token, tries + 1);
    },
  };

  // The killer may run twice without harm, so a lost connection is no reason to stop before the time is over.
  async function killAll(tokens: string[]): Promise<boolean> {
    const began = performance.now();
    const stop = new Stop({ timeoutMs });
    let why = "no answer in time";
    while (!stop.cause) {
      const started = await stop.race(start(killLine(tokens), stop));
      if (started?.kind === "open") {
        started.remote.stdin.end();
        started.remote.stdout.resume();
        started.remote.stderr.resume();
        const ended = await stop.race(started.remote.ended);
        if (ended === undefined) started.remote.close();
        else if (ended !== "lost") {
          stop.dispose();
          if (ended.code === 0) onEvent({ event: "killed", tokens: tokens.length, ms: Math.round(performance.now() - began) });
          if (ended.code === 0) return true;
          why = ended.code === 75 ? "processes are left, or the host cannot tell" : `the killer ended with ${ended.code ?? ended.signal}`;
          break;
        }
      } else if (started && started.ran === "never") {
        why = started.cause.message;
        if (started.cause.kind !== "not-started") break;
      }
      await stop.race(delay(50));
    }
    stop.dispose();
    onEvent({ event: "kill-failed", tokens: tokens.length, message: why });
    return false;
  }
}
