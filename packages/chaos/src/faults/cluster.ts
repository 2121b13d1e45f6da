import { execFile } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { connect } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import { clusterPart } from "../config.ts";
import type { Field, Inject } from "./field.ts";

/** All SSH connections of the workers are reset. */
export const cutSsh: Inject = async ({ scene }) => {
  const count = scene.relay.cut();
  return count > 0 ? { what: `${count} SSH connections were reset` } : null;
};

/** All SSH connections stay open and bring nothing for a while. */
export const stallSsh: Inject = async ({ scene }, { forMs }) => {
  const bytes = await scene.relay.stall(forMs);
  return bytes > 0 ? { what: `${bytes} bytes of SSH waited for up to ${forMs} ms` } : null;
};

/** Every piece comes late. */
export const slowSsh: Inject = async ({ scene }, { forMs, roll }) => {
  const byMs = 20 + (roll % 200);
  const pieces = await scene.relay.slow(byMs, forMs);
  return pieces > 0 ? { what: `${pieces} pieces of SSH came ${byMs} ms late` } : null;
};

/** SIGKILL of every kubectl of this installation on the host, which is this machine. */
export const killKubectl: Inject = async ({ scene }) => {
  const pids = kubectls(scene.installation);
  let killed = 0;
  for (const { pid } of pids)
    try {
      process.kill(pid, "SIGKILL");
      killed += 1;
    } catch {} // gone by itself
  return killed > 0 ? { what: `${killed} kubectl were killed` } : null;
};

/** The kubectl processes of an installation on this machine: its namespaces stand in their arguments. */
export function kubectls(installation: string): { pid: number; argv: string }[] {
  return readdirSync("/proc").flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      const [program = "", ...rest] = readFileSync(`/proc/${name}/cmdline`, "utf8").split("\0");
      const argv = rest.join(" ");
      return program.endsWith("kubectl") && argv.includes(`${installation}-`) ? [{ pid: Number(name), argv }] : [];
    } catch {
      return []; // gone meanwhile
    }
  });
}

/** No API server for a while: the embedded one refuses and cuts, the real one is killed. */
export const restartApiServer: Inject = async (field, fault) => {
  const { embedded } = field.scene.cluster;
  if (embedded === undefined) return restartPart("apiserver")(field, fault);
  await embedded.pause();
  await delay(fault.forMs);
  const refused = await refuses(Number(new URL(embedded.url).port));
  await embedded.resume();
  return refused ? { what: `the API server refused for ${fault.forMs} ms` } : null;
};

/** A part of a real cluster is killed and started again. */
export function restartPart(name: string): Inject {
  return async (_: Field, { forMs }) => {
    const part = clusterPart();
    if (part === undefined) return null;
    const run = promisify(execFile);
    const pid = async (): Promise<string> =>
      new RegExp(`^${name} (\\d+)$`, "m").exec((await run(part, ["ls"], { timeout: 60_000 })).stdout)?.[1] ?? "";
    const before = await pid();
    await run(part, ["kill", name], { timeout: 60_000 });
    await delay(forMs);
    await run(part, ["start", name], { timeout: 60_000 });
    const after = await pid();
    return after !== before ? { what: `${name} ${before} was killed, down for ${forMs} ms, and is ${after}` } : null;
  };
}

function refuses(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => {
      resolve(false);
      socket.destroy();
    });
    socket.once("error", () => resolve(true));
  });
}
