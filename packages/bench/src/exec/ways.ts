import { randomUUID } from "node:crypto";
import ssh2 from "ssh2";
import { BenchError } from "../errors.ts";
import type { Fleet, Place, Scene } from "./scene.ts";

/** What a command gave. */
export type Answer = { code: number; stdout: string };

/**
 * A way to run a command in a pod. `shared`: others run in the same pod at the same time. `warmUp` brings it to where it is when
 * it is in use.
 */
export type Way = {
  id: string;
  name: string;
  run: (place: Place, argv: readonly string[], shared: boolean) => Promise<Answer>;
  warmUp: (places: readonly Place[]) => Promise<void>;
};

/** The beginning of a plain `kubectl exec` of one command. */
export function kubectlExec({ namespace, pod }: Place): string[] {
  return ["kubectl", "exec", pod, "-n", namespace, "-c", "workspace", "--"];
}

/** All ways of the table, the baselines (a) and (b) first. */
export function waysOf(scene: Scene): Way[] {
  return [
    way(
      "a",
      "(a) new SSH connection, kubectl exec",
      async (place, argv) => runOnNewConnection(scene, place, argv),
      () => [],
    ),
    way(
      "b",
      "(b) kept connection, kubectl exec",
      async (place, argv) => runOnPool(scene, place, argv),
      (places) => places.slice(0, 1),
    ),
    way(
      "c",
      "(c) kube.exec, warm session",
      async (place, argv, shared) => runOnSession(scene.execs, place, argv, shared),
      (places) => places,
    ),
    ...scene.fleets.map((fleet) =>
      way(
        `d${fleet.workers}`,
        `(d) podq end to end, ${fleet.workers} worker${fleet.workers === 1 ? "" : "s"}`,
        async (place, argv, shared) => runByJob(fleet, place, argv, shared),
        // Each worker opens a session of its own to each pod. Which of them takes which command is chance, so with several workers
        // now and then a cold one remains to be met, as it does in use.
        (places) => Array.from({ length: fleet.workers === 1 ? 1 : 2 * fleet.workers }, () => places).flat(),
      ),
    ),
  ];
}

function way(id: string, name: string, run: Way["run"], toWarm: (places: readonly Place[]) => readonly Place[]): Way {
  const warmUp = async (places: readonly Place[]): Promise<void> => {
    await Promise.all(toWarm(places).map(async (place) => run(place, ["true"], true)));
  };
  return { id, name, run, warmUp };
}

/** Throws BenchError `wrong-result` unless the way brings back what a command wrote and its exit code. */
export async function checkWay({ name, run }: Way, place: Place): Promise<void> {
  const mark = randomUUID();
  const { code, stdout } = await run(place, ["sh", "-c", `echo ${mark}; exit 7`], false);
  if (code !== 7 || stdout !== `${mark}\n`)
    throw new BenchError("wrong-result", `${name}: exit code 7 and ${mark} expected, got ${code} and ${stdout}`);
}

async function runOnNewConnection({ cluster }: Scene, place: Place, argv: readonly string[]): Promise<Answer> {
  const { host, port, username, privateKey } = cluster.ssh;
  const client = new ssh2.Client();
  try {
    return await new Promise<Answer>((resolve, reject) => {
      client.on("error", reject);
      client.on("close", () => reject(new Error("the SSH connection was lost")));
      client.on("ready", () => {
        client.exec([...kubectlExec(place), ...argv].map(quoted).join(" "), (error, channel) => {
          if (error) return reject(error);
          let stdout = "";
          channel.setEncoding("utf8").on("data", (text: string) => (stdout += text));
          channel.stderr.resume();
          channel.on("close", (code: number | null) => resolve({ code: code ?? -1, stdout }));
        });
      });
      client.connect({ host, port, username, privateKey });
      client.setNoDelay(true); // without it, each command would wait 40 ms and more for the host's delayed acknowledgements
    });
  } finally {
    client.end();
  }
}

function quoted(word: string): string {
  return `'${word.replaceAll("'", String.raw`'\''`)}'`;
}

async function runOnPool({ pool }: Scene, place: Place, argv: readonly string[]): Promise<Answer> {
  const end = await pool.run([...kubectlExec(place), ...argv]);
  if (end.kind !== "exit") throw new BenchError("wrong-result", `kubectl exec: ${end.kind}: ${end.message}`);
  return { code: end.code ?? -1, stdout: end.stdout.toString() };
}

const never = new AbortController().signal;

/** Runs a command by kube.exec. */
export async function runOnSession(
  execs: Scene["execs"],
  { namespace, pod, podUid }: Place,
  argv: readonly string[],
  shared: boolean,
): Promise<Answer> {
  let stdout = "";
  const request = { jobId: randomUUID(), run: 1, attempt: 1, command: argv, fence: [], from: { stdout: 0, stderr: 0 } };
  const bounds = { timeoutMs: 60_000, graceMs: 1000, maxOutputBytes: 1024 * 1024, exclusive: !shared };
  const outcome = await execs.run(
    { namespace, pod, podUid },
    { ...request, ...bounds },
    {
      cancel: never,
      detach: never,
      onOutput: async (pieces) => {
        for (const { stream, data } of pieces) if (stream === "stdout") stdout += data.toString();
      },
    },
  );
  if (outcome.kind !== "ended") throw new BenchError("wrong-result", `kube.exec: ${JSON.stringify(outcome)}`);
  return { code: outcome.exitCode, stdout };
}

async function runByJob({ podq }: Fleet, { project }: Place, argv: readonly string[], shared: boolean): Promise<Answer> {
  const { exitCode, stdout } = await podq.pod({ project }).run(argv, { parallel: shared });
  return { code: exitCode, stdout: stdout.text() };
}
