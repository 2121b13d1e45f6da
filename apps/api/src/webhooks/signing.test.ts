import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Webhook } from "standardwebhooks";
import { describe, expect, it, onTestFinished } from "vitest";
import { createSigner, readMasterKey } from "./signing.ts";

const master = "m".repeat(32);
const message = { id: "msg_1", token: null, at: new Date(), body: '{"type":"job.ended","é":1}' };

describe("the signature of a webhook", () => {
  it("is what an implementation of Standard Webhooks by others takes, with the key that podq gives out", () => {
    const signer = createSigner(master);
    const receiver = new Webhook(signer.keyOf(null));
    const headers = signer.headersOf(message);
    expect(receiver.verify(message.body, headers)).toEqual(JSON.parse(message.body));
    expect(() => receiver.verify(message.body.replace("1", "2"), headers)).toThrow("No matching signature");
    expect(() => receiver.verify(message.body, { ...headers, "webhook-id": "msg_2" })).toThrow("No matching signature");
    expect(() => receiver.verify(message.body, { ...headers, "webhook-timestamp": String(Date.now()) })).toThrow("timestamp");
    const old = signer.headersOf({ ...message, at: new Date(Date.now() - 3_600_000) });
    expect(() => receiver.verify(message.body, old)).toThrow("too old");
  });

  it("has a key for each token, another one for the installation, and others again of another master key", () => {
    const [one, other] = [createSigner(master), createSigner("n".repeat(32))];
    const keys = [one.keyOf(null), one.keyOf("a"), one.keyOf("b"), other.keyOf(null), other.keyOf("a")];
    expect(new Set(keys).size).toBe(keys.length);
    expect(createSigner(master).keyOf("a")).toBe(one.keyOf("a"));
    const theirs = new Webhook(one.keyOf("b"));
    expect(() => theirs.verify(message.body, one.headersOf({ ...message, token: "a" }))).toThrow("No matching signature");
  });
});

describe("the master key", () => {
  it("is a setting, or in a file that a setting names; there may be none", () => {
    const dir = mkdtempSync(join(tmpdir(), "podq-test-"));
    onTestFinished(() => rmSync(dir, { recursive: true }));
    const file = join(dir, "key");
    writeFileSync(file, `${master}\n`);
    expect(readMasterKey({ PODQ_WEBHOOK_KEY_FILE: file })).toBe(master);
    expect(readMasterKey({ PODQ_WEBHOOK_KEY: "o".repeat(32), PODQ_WEBHOOK_KEY_FILE: "" })).toBe("o".repeat(32));
    expect(readMasterKey({ PODQ_WEBHOOK_KEY: "", PODQ_WEBHOOK_KEY_FILE: "" })).toBeUndefined();
  });

  it("that is set twice is an error, since one of the two would count for nothing", () => {
    const both = { PODQ_WEBHOOK_KEY: master, PODQ_WEBHOOK_KEY_FILE: "/run/secrets/key" };
    expect(() => readMasterKey(both)).toThrow("PODQ_WEBHOOK_KEY, PODQ_WEBHOOK_KEY_FILE: only one of them may be set");
  });

  it("that is too short or not there is told by the variable's name, without its value", () => {
    const short = { PODQ_WEBHOOK_KEY: "hunter2" };
    expect(() => readMasterKey(short)).toThrow("PODQ_WEBHOOK_KEY: a master key has at least 32 characters");
    expect(() => readMasterKey(short)).not.toThrow("hunter2");
    expect(() => readMasterKey({ PODQ_WEBHOOK_KEY_FILE: "/no/such/file" })).toThrow(
      /^PODQ_WEBHOOK_KEY_FILE: \/no\/such\/file cannot be read/,
    );
  });
});
