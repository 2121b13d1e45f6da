// Signals for a running command, in every shell that the runner must work in.
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { LocalPod, sh, shells, Talk } from "./local-shell.ts";
import { calls } from "./protocol.ts";

const [INT, TERM, USR1] = [2, 15, 10] as const;
const counting = "n=0; trap 'n=$((n + 1)); echo got $n' USR1; echo ready; while [ $n -lt 2 ]; do sleep 0.05; done; exit 4";

for (const shell of shells) {
  describe.skipIf(shell.missing !== undefined)(`the runner in ${shell.name}${shell.missing ? ` (${shell.missing})` : ""}`, () => {
    let pod: LocalPod;
    let talk: Talk;

    beforeEach(async () => {
      pod = new LocalPod(shell.argv);
      talk = new Talk(pod);
      await talk.frame("ready");
    });
    afterEach(async () => {
      await pod.stop();
    });

    const ready = async (id: string): Promise<unknown> => talk.state(id, ({ summary }) => summary.stdout.kept >= 6);

    it("sends a signal to the command and all that is in its group", async () => {
      const id = talk.run({ argv: sh("trap 'wait; exit 7' TERM; sleep 60 & echo ready; wait") });
      await ready(id);
      talk.send(calls.signal(id, 1, TERM));
      expect(await talk.frame("signalled", id)).toMatchObject({ n: 1, answer: "sent" });
      expect((await talk.frame("closed", id)).summary).toMatchObject({ exitCode: 7, why: null, left: 0 });
    });

    it("sends each one once, whoever asks for it again", async () => {
      const id = talk.run({ argv: sh(counting) });
      await ready(id);
      const other = new Talk(pod);
      await other.frame("ready");
      talk.send(calls.signal(id, 1, USR1));
      expect(await talk.frame("signalled", id)).toMatchObject({ n: 1, answer: "sent" });
      other.send(calls.signal(id, 1, USR1));
      expect(await other.frame("signalled", id)).toMatchObject({ n: 1, answer: "sent" });
      expect((await talk.state(id, ({ summary }) => summary.stdout.kept >= 12)).summary).toMatchObject({ exitCode: null });
      other.send(calls.signal(id, 2, USR1));
      const { inline, summary } = await talk.frame("closed", id);
      expect(summary.exitCode).toBe(4);
      expect(Buffer.concat(inline!.stdout.pieces).toString()).toBe("ready\ngot 1\ngot 2\n");
    });

    it("says its answer before the end of a command that dies of it", async () => {
      const id = talk.run({ argv: ["sleep", "60"] });
      await talk.state(id, ({ summary }) => summary.startedMs > 0);
      talk.send(calls.signal(id, 1, TERM));
      expect((await talk.frame("closed", id)).summary).toMatchObject({ exitCode: 143, why: null });
      expect(talk.frames).toContainEqual({ kind: "signalled", id, n: 1, answer: "sent" });
    });

    it("says so when the command ignores it, has ended, or never was", async () => {
      const id = talk.run({ argv: sh("trap '' INT; echo ready; exec sleep 60") });
      await ready(id);
      talk.send(calls.signal(id, 1, INT));
      expect(await talk.frame("signalled", id)).toMatchObject({ answer: "ignored" });
      talk.send(calls.kill(id, "cancel", 0));
      await talk.frame("closed", id);
      talk.send(calls.signal(id, 2, TERM));
      expect(await talk.frame("signalled", id)).toMatchObject({ n: 2, answer: "too-late" });
      talk.send(calls.signal("never.1", 1, TERM));
      expect(await talk.frame("signalled", "never.1")).toMatchObject({ answer: "too-late" });
    });
  });
}
