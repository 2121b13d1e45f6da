import type { Parts } from "@podq/worker";

/** Comes by at each point: `jobs.claim:before`, `kube.create:after`. The call goes on when it resolves. */
export type AtPoint = (point: string) => Promise<void>;

/** The parts with a point before and after each of their calls. */
export function withPoints(parts: Parts, at: AtPoint): Parts {
  const { store, pods, execs } = parts;
  return {
    store: {
      ...store,
      jobs: around("jobs", store.jobs, at),
      pods: around("pods", store.pods, at),
      output: around("output", store.output, at),
      input: { ...store.input, remove: called("input.remove", store.input.remove.bind(store.input), at) },
    },
    pods: around("kube", pods, at),
    execs: { ...execs, run: called("execs.run", execs.run.bind(execs), at) },
  };
}

type Call = (...args: never[]) => Promise<unknown>;

function around<T extends Record<string, Call>>(name: string, calls: T, at: AtPoint): T {
  return Object.fromEntries(Object.entries(calls).map(([key, call]) => [key, called(`${name}.${key}`, call.bind(calls), at)])) as T;
}

function called<F extends Call>(name: string, call: F, at: AtPoint): F {
  const wrapped = async (...args: never[]): Promise<unknown> => {
    await at(`${name}:before`);
    const answer = await call(...args);
    await at(`${name}:after`);
    return answer;
  };
  return wrapped as F;
}
