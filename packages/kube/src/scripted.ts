// A host for tests of what kube does with answers that no cluster gives on demand. Not exported from the package.
import { PassThrough } from "node:stream";
import type { Exit, Failure, Open, OpenOptions, Run, RunOptions } from "./run.ts";

const nothing = Buffer.alloc(0);

/** A channel as the far side sees it. */
export type ScriptedChannel = {
  argv: readonly string[];
  /** Whether this side closed it. */
  closed: boolean;
  send(event: object): void;
  write(text: string): void;
  end(exit: Partial<Exit> | Failure): void;
};

/** What a host was asked, and what it says. */
export type ScriptedHost = {
  run: Run;
  open: Open;
  runs: { argv: readonly string[]; options: RunOptions }[];
  channels: ScriptedChannel[];
  /** Resolves with the n-th channel (from 0) once it was opened. */
  channel(n: number): Promise<ScriptedChannel>;
};

/** `answer` says how a command went, `admit` whether a channel may be opened. */
export function scriptedHost(
  answer: (argv: readonly string[]) => Partial<Exit> | Failure,
  admit: () => Failure | undefined = () => undefined,
): ScriptedHost {
  const runs: ScriptedHost["runs"] = [];
  const channels: ScriptedChannel[] = [];
  const waiting: (() => void)[] = [];
  return {
    runs,
    channels,
    async run(argv, options = {}) {
      runs.push({ argv, options });
      return went(answer(argv));
    },
    async open(argv, _options: OpenOptions = {}) {
      const refused = admit();
      if (refused) return refused;
      const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()];
      const { promise: ended, resolve } = Promise.withResolvers<Exit | Failure>();
      const channel: ScriptedChannel = {
        argv,
        closed: false,
        send: (event) => void stdout.write(`${JSON.stringify(event)}\n`),
        write: (text) => void stdout.write(text),
        end(exit) {
          const how = went(exit);
          stdout.end();
          stderr.end(how.stderr);
          resolve({ ...how, stderr: nothing });
        },
      };
      channels.push(channel);
      for (const wake of waiting.splice(0)) wake();
      const close = (): void => {
        channel.closed = true;
        stdout.destroy();
        stderr.destroy();
        resolve(went({ code: null, signal: "TERM" }));
      };
      return { kind: "open", channel: { stdin, stdout, stderr, ended, close } };
    },
    async channel(n) {
      while (channels[n] === undefined) await new Promise<void>((resolve) => waiting.push(resolve));
      return channels[n];
    },
  };
}

/** A Failure of a kind, without output. */
export function failure(kind: Failure["kind"], message: string = kind): Failure {
  return { kind, message, stdout: nothing, stderr: nothing };
}

function went(how: Partial<Exit> | Failure): Exit | Failure {
  if (isFailure(how)) return how;
  return { code: 0, signal: null, stdout: nothing, stderr: nothing, ...how, kind: "exit" };
}

function isFailure(how: Partial<Exit> | Failure): how is Failure {
  return how.kind !== undefined && how.kind !== "exit";
}
