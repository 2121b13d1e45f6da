// A pod is made, commands run in it, and it is deleted. Needs a worker; `npx podq dev` prints the settings of one on this machine.
import { connect } from "@podq/client";

const { REDIS_URL: redisUrl = "redis://127.0.0.1:6379", MONGODB_URI: mongodbUri = "mongodb://127.0.0.1:27017/podq" } = process.env;
const podq = await connect({ redisUrl, mongodbUri });
const pod = podq.pod({ project: "quickstart" });

const made = await (await pod.create({ image: process.argv[2] ?? "localhost/workspace:1" })).result();
console.log(`${made.podName} is ${made.status}`);

const job = await pod.exec("for n in 1 2 3; do echo line $n; sleep 0.1; done; exit 3", { timeoutMs: 60_000 });
for await (const { stream, data } of job.output()) process[stream].write(data); // live; again from any byte, from any process
const { exitCode } = await job.result();
console.log(`exit code ${exitCode}`);

await (await pod.delete()).result();
console.log(`${made.podName} is gone`);
await podq.close();
