// `npm run demo`: everything on this machine, once through, and nothing left behind.
import { connect } from "../../packages/client/src/index.ts";
import { startStack } from "../../packages/devstack/src/index.ts";
import { createLog, readConfig, startWorker } from "../../apps/worker/src/index.ts";

const started = performance.now();
const say = (text: string): boolean => process.stdout.write(`${text}\n`);
const step = async <T>(what: string, work: Promise<T>): Promise<T> => {
  const from = performance.now();
  const result = await work;
  say(`  ${what} (${Math.round(performance.now() - from)} ms)`);
  return result;
};

say("podq demo: Redis, MongoDB, an SSH host and a small cluster on this machine");
const stack = await step("services are up", startStack());
try {
  const config = readConfig({ ...stack.env, PODQ_LOG_LEVEL: "warn" });
  const worker = await step("a worker is ready", startWorker(config, createLog(config)));
  try {
    await tour(config);
  } finally {
    await step("the worker has stopped", worker.stop());
  }
} finally {
  await step("the services are gone, with all they had written", stack.stop());
}
say(`done in ${((performance.now() - started) / 1000).toFixed(1)} s; \`npx podq dev\` keeps all this running for you to use`);

async function tour({ redisUrl, mongodbUri, prefix }: { redisUrl: string; mongodbUri: string; prefix: string }): Promise<void> {
  await using podq = await connect({ redisUrl, mongodbUri, prefix });
  const pod = podq.pod({ project: "demo" });

  say("\ncreate a pod for project demo");
  const job = await pod.create({ image: "localhost/workspace:1" });
  say(`  accepted as job ${job.id}`);
  const made = await step("the pod runs", job.result());
  say(`  ${made.namespace}, pod ${made.podName}, node port at ${made.service.accessUrl}`);

  say("\nrun commands in it");
  const commands = ["id -un; pwd", "echo out; echo err >&2; exit 3", "cd /workspace && echo kept > file && cat file", "echo $((6 * 7))"];
  for (const command of commands) {
    const { exitCode, stdout, stderr } = await step(`$ ${command}`, pod.run(command));
    for (const [stream, bytes] of [
      ["stdout", stdout],
      ["stderr", stderr],
    ] as const)
      for (const line of bytes.text().split("\n").filter(Boolean)) say(`      ${stream} | ${line}`);
    say(`      exit code ${exitCode}`);
  }

  say("\ncreate it again: the same pod");
  const again = await step("answered", (await pod.create({ image: "localhost/workspace:1" })).result());
  say(`  pod ${again.podName} is ${again.podUid === made.podUid ? "the one that ran before" : "ANOTHER ONE"}, its uid ${again.podUid}`);
  if (again.podUid !== made.podUid) throw new Error("a second create made another pod");

  say("\ndelete it");
  await step("it is gone", (await pod.delete()).result());
  const record = await pod.get();
  say(`  its record says: ${record?.status}\n`);
}
