import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { newKeyPair } from "@podq/devstack";
import ssh2 from "ssh2";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { createHostKeys } from "./host-keys.ts";
import { knownHostsLine } from "./known-hosts.ts";

const blob = (kind: "ed25519" | "rsa"): Buffer => {
  const made = kind === "rsa" ? ssh2.utils.generateKeyPairSync("rsa", { bits: 2048 }) : newKeyPair();
  const parsed = ssh2.utils.parseKey(made.public);
  if (parsed instanceof Error) throw parsed;
  return parsed.getPublicSSH();
};

const address = { host: "10.1.2.3", port: 2222 };
const key = blob("ed25519");
const another = blob("ed25519");
const root = mkdtempSync(join(tmpdir(), "podq-host-keys-"));
let file: string;
let count = 0;

beforeEach(() => {
  file = join(root, String((count += 1)), "known_hosts");
});
afterAll(() => rmSync(root, { recursive: true }));

describe("the judge of host keys", () => {
  it("refuses an unknown key and gives the line to add, which then is enough", () => {
    const refusal = createHostKeys({ file }).refusal(address, key);
    expect(refusal).toContain(`add this line to ${file}: ${knownHostsLine(address, key)}`);
    expect(createHostKeys({ lines: refusal?.split("known_hosts: ")[1] ?? "" }).refusal(address, key)).toBeNull();
  });

  it("does not believe an unknown key because there is no file", () => {
    expect(createHostKeys({}).refusal(address, key)).toContain("is not known");
  });

  it("keeps the first key in the file if it was asked to trust on first use, and then no other", () => {
    const judge = createHostKeys({ file, trustOnFirstUse: true });
    expect(judge.refusal(address, key)).toBeNull();
    expect(judge.refusal(address, another)).toContain("is not the known one");
    expect(createHostKeys({ file }).refusal(address, key)).toBeNull();
    expect(statSync(file).mode & 0o077).toBe(0);
  });

  it("begins a line of its own in a file whose last line has no end", () => {
    const elsewhere = knownHostsLine({ host: "elsewhere", port: 22 }, another);
    file = join(root, `no-end-${count}`);
    writeFileSync(file, elsewhere);
    createHostKeys({ file, trustOnFirstUse: true }).refusal(address, key);
    expect(readFileSync(file, "utf8")).toBe(`${elsewhere}\n${knownHostsLine(address, key)}\n`);
  });

  it("keeps the first key in memory where there is no file", () => {
    const judge = createHostKeys({ trustOnFirstUse: true });
    expect([judge.refusal(address, key), judge.refusal(address, another)]).toEqual([null, expect.stringContaining("is not the known one")]);
  });

  it("says a revoked key is revoked, also when it is to trust on first use", () => {
    const lines = `@revoked * ${knownHostsLine(address, key).split(" ").slice(1).join(" ")}`;
    expect(createHostKeys({ lines, trustOnFirstUse: true }).refusal(address, key)).toContain("is revoked");
  });

  it("refuses, and says why, when the file cannot be read", () => {
    expect(createHostKeys({ file: root }).refusal(address, key)).toContain(`cannot read ${root}`);
  });

  it("offers the algorithms of the keys on file first, else a host with several keys shows one that is not on file", () => {
    const judge = createHostKeys({ lines: knownHostsLine(address, blob("rsa")) });
    expect(judge.algorithms(address).slice(0, 4)).toEqual(["rsa-sha2-512", "rsa-sha2-256", "ssh-rsa", "ssh-ed25519"]);
    expect(createHostKeys({}).algorithms(address)[0]).toBe("ssh-ed25519");
  });
});
