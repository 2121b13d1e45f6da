// What a run leaves behind, and how far the runner can tell that it is this run's. In every shell, without any cluster.
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { afterEach, describe, expect, it } from "vitest";
import { carrying, LocalPod, sh, shells, Talk } from "./local-shell.ts";

// Processes of its own, as a pod has them.
const apart = ["unshare", "--pid", "--fork", "--mount-proc"];
const cannotBeApart = unable(() => execFileSync(apart[0]!, [...apart.slice(1), "true"], { stdio: "ignore" }));
const seesMachine = existsSync("/proc/2/comm") && readFileSync("/proc/2/comm", "utf8") === "kthreadd\n";
// Leaves the session without our environment.
const stray = (mark: string): string => `env -i ${mark} setsid sleep 20 >/dev/null 2>&1 & sleep 0.2`;

function unable(attempt: () => unknown): boolean {
  try {
    attempt();
    return false;
  } catch {
    return true;
  }
}

for (const shell of shells) {
  describe.skipIf(shell.missing !== undefined)(`the runner in ${shell.name}${shell.missing ? ` (${shell.missing})` : ""}`, () => {
    let pod: LocalPod;
    afterEach(async () => pod.stop());

    const begin = async (argv: readonly string[]): Promise<Talk> => {
      pod = new LocalPod(argv);
      const talk = new Talk(pod);
      await talk.frame("ready");
      return talk;
    };

    describe.skipIf(cannotBeApart)(`with processes of its own${cannotBeApart ? " (unshare is not permitted here)" : ""}`, () => {
      it("counts what appeared since the start and is nobody's, after a short and after a long run", async () => {
        const talk = await begin([...apart, ...shell.argv]);
        for (const more of ["", "; sleep 1"]) {
          const id = talk.run({ alone: true, argv: sh(`${stray("A=b")}${more}`) });
          expect(await talk.frame("exited", id)).toMatchObject({ exitCode: 0, left: 1, leftUnverified: false });
        }
        // What was there before is not this run's.
        const { summary } = await talk.frame("closed", talk.run({ alone: true, argv: sh("sleep 1.1") }));
        expect(summary).toMatchObject({ exitCode: 0, left: 0, leftUnverified: false });
      });

      it("is not sure of it beside another run, whichever of them ends first", async () => {
        const talk = await begin([...apart, ...shell.argv]);
        const beside = talk.run({ argv: sh("sleep 1.5") });
        await talk.state(beside, ({ state }) => state.name === "running");
        const { summary } = await talk.frame("closed", talk.run({ argv: sh(stray("A=b")) }));
        expect(summary).toMatchObject({ exitCode: 0, left: 0, leftUnverified: true });
        expect((await talk.frame("closed", beside)).summary).toMatchObject({ exitCode: 0, left: 0, leftUnverified: true });
        const { summary: after } = await talk.frame("closed", talk.run({ alone: true }));
        expect(after).toMatchObject({ left: 0, leftUnverified: false });
      });
    });

    it.skipIf(!seesMachine)("counts no stranger where it sees the whole machine, and says so", async () => {
      const talk = await begin(shell.argv);
      const mark = `MARK=stray${process.pid}x${shell.name.length}`;
      const { summary } = await talk.frame("closed", talk.run({ alone: true, argv: sh(stray(mark)) }));
      expect(summary).toMatchObject({ exitCode: 0, left: 0, leftUnverified: true });
      expect(carrying(mark)).toBe(1);
      execFileSync("sh", ["-c", 'kill $(grep -l -- "$1" /proc/[0-9]*/environ 2>/dev/null | cut -d/ -f3)', "sh", mark]);
    });
  });
}
