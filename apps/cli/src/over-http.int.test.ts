// The API as others use it: a Python program that has nothing else, and a fuzzer that has only its description.
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { pythonPackages } from "@podq/devstack/testing";
import { afterAll, beforeAll, expect, it } from "vitest";
import { setScene, type Scene } from "./testing.ts";

const run = promisify(execFile);
const fuzzS = Number(process.env.PODQ_TEST_FUZZ_S ?? 20);

let scene: Scene;
let dir: string;
let url: string;
let log: () => string;
let token: string;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "podq-over-http-"));
  scene = await setScene();
  await scene.startWorker();
  token = (await scene.cli(["token", "create", "test", "--scope", "admin"])).stdout.trim();
  ({ url, log } = await scene.startApi({ PODQ_API_RATE: "1000000", PODQ_LOG_LEVEL: "info" }));
});

afterAll(async () => {
  await scene.stop();
  await rm(dir, { recursive: true, force: true });
});

it("the example in Python makes a pod, shows a command's output live, and deletes the pod", { timeout: 180_000 }, async () => {
  const example = join(import.meta.dirname, "../../api/examples/exec.py");
  const env = { ...process.env, PYTHONPATH: await pythonPackages("httpx==0.28.1"), PODQ_URL: url, PODQ_TOKEN: token };
  const { stdout, stderr } = await run("python3", [example, scene.cluster.image], { env });
  expect(stdout.replace(/^pod \S+/, "pod POD").split("\n")).toEqual([
    "pod POD is running",
    "line 1",
    "line 2",
    "line 3",
    "succeeded, exit code 3",
    "delete has succeeded",
    "",
  ]);
  expect(stderr).toBe("oops\n");
});

// Left out: events and `follow`, which last as long as what they tell of; and the check that whatever fits the description is
// taken, because a cursor that nobody gave out, and links that schemathesis guesses, are rightly refused.
it(
  "schemathesis finds no server error, no undocumented answer, and none that is not as described",
  { timeout: fuzzS * 15_000 + 240_000 },
  async () => {
    const home = await pythonPackages("schemathesis==4.32.5");
    const env = { ...process.env, PYTHONPATH: home };
    const args = ["--request-timeout", "90", "--continue-on-failure", "--suppress-health-check", "all"];
    const left = ["--exclude-path-regex", "/events$", "--exclude-checks", "positive_data_acceptance"];
    const settings = join(import.meta.dirname, "../../api/schemathesis.toml");
    const headers = ["-H", `Authorization: Bearer ${token}`];
    const argv = ["--config-file", settings, "run", `${url}/openapi.json`, ...headers, ...args, ...left];
    const fuzz = async (s: number): Promise<string> => {
      const timed = [...argv, "--max-time", String(s)];
      const { stdout } = await run(join(home, "bin/schemathesis"), timed, { env, cwd: dir, maxBuffer: 1e8 }).catch(
        (error: { stdout: string }) => error,
      );
      // On a busy machine the time may be over before the first request has been thought of.
      return stdout.includes("No test cases were generated") && s < fuzzS * 8 ? fuzz(s * 4) : stdout;
    };
    const stdout = await fuzz(fuzzS);
    const found = stdout.slice(stdout.indexOf("= FAILURES") + 1);
    expect(/^Failures:|^Errors:/m.test(stdout) ? found : "").toBe("");
    expect(stdout).toMatch(/Test cases:\s+\d+ generated, \d+ passed/);
    expect(log()).not.toContain("a request failed");
  },
);
