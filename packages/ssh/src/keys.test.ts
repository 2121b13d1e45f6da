import { spawnSync } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import { newKeyPair } from "@podq/devstack";
import ssh2 from "ssh2";
import { afterAll, describe, expect, it } from "vitest";
import { loadKey, parsePrivateKey } from "./keys.ts";

const PASSPHRASE = "correct horse";
const locked = { passphrase: PASSPHRASE, cipher: "aes256-ctr", rounds: 4 };
const sealed = { cipher: "aes-256-cbc", passphrase: PASSPHRASE };
const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey;
const ec = generateKeyPairSync("ec", { namedCurve: "P-384" }).privateKey;
const ed25519 = generateKeyPairSync("ed25519").privateKey;

const openssh = newKeyPair();
const kinds: [string, string, string][] = [
  ["OpenSSH Ed25519", openssh.private, "ssh-ed25519"],
  ["OpenSSH RSA", ssh2.utils.generateKeyPairSync("rsa", { bits: 2048 }).private, "ssh-rsa"],
  ["OpenSSH ECDSA", ssh2.utils.generateKeyPairSync("ecdsa", { bits: 256 }).private, "ecdsa-sha2-nistp256"],
  ["PEM RSA", rsa.export({ type: "pkcs1", format: "pem" }).toString(), "ssh-rsa"],
  ["PEM ECDSA", ec.export({ type: "sec1", format: "pem" }).toString(), "ecdsa-sha2-nistp384"],
  ["PKCS#8 RSA", rsa.export({ type: "pkcs8", format: "pem" }).toString(), "ssh-rsa"],
  ["PKCS#8 ECDSA", ec.export({ type: "pkcs8", format: "pem" }).toString(), "ecdsa-sha2-nistp384"],
  ["PKCS#8 Ed25519", ed25519.export({ type: "pkcs8", format: "pem" }).toString(), "ssh-ed25519"],
];
const encrypted: [string, string, string][] = [
  ["OpenSSH Ed25519", newKeyPair(locked).private, "ssh-ed25519"],
  ["OpenSSH Ed25519 (GCM)", newKeyPair({ ...locked, cipher: "aes256-gcm@openssh.com" }).private, "ssh-ed25519"],
  ["OpenSSH RSA", ssh2.utils.generateKeyPairSync("rsa", { bits: 2048, ...locked }).private, "ssh-rsa"],
  ["PEM RSA", rsa.export({ type: "pkcs1", format: "pem", ...sealed }).toString(), "ssh-rsa"],
  ["PEM ECDSA", ec.export({ type: "sec1", format: "pem", ...sealed }).toString(), "ecdsa-sha2-nistp384"],
  ["PKCS#8 RSA", rsa.export({ type: "pkcs8", format: "pem", ...sealed }).toString(), "ssh-rsa"],
  ["PKCS#8 Ed25519", ed25519.export({ type: "pkcs8", format: "pem", ...sealed }).toString(), "ssh-ed25519"],
];

const root = mkdtempSync(join(tmpdir(), "podq-keys-"));
const file = join(root, "id");
writeFileSync(file, openssh.private);
afterAll(() => rmSync(root, { recursive: true }));

describe("parsing a private key", () => {
  it.each(kinds)("reads %s", (_kind, text, type) => {
    expect(parsePrivateKey(text).type).toBe(type);
  });

  it.each(encrypted)("reads %s with its passphrase, and says so when that is missing or wrong", (_kind, text, type) => {
    expect(parsePrivateKey(text, PASSPHRASE).type).toBe(type);
    expect(() => parsePrivateKey(text)).toThrow(
      expect.objectContaining({ code: "passphrase", message: expect.stringContaining("no passphrase is given") }),
    );
    expect(() => parsePrivateKey(text, "wrong")).toThrow(expect.objectContaining({ code: "passphrase" }));
  });

  it.each([
    ["line ends written as two characters", (text: string) => text.replaceAll("\n", "\\n")],
    ["Windows line ends", (text: string) => text.replaceAll("\n", "\r\n")],
    ["no last line end", (text: string) => text.trimEnd()],
    ["blanks around it", (text: string) => `\n  ${text}\n\n`],
  ])("reads a key with %s", (_what, change) => {
    const fingerprint = parsePrivateKey(openssh.private).fingerprint;
    expect(parsePrivateKey(change(openssh.private)).fingerprint).toBe(fingerprint);
  });

  it("converts PKCS#8 to the same key", () => {
    const jwk = ed25519.export({ format: "jwk" });
    const raw = Buffer.from(jwk.x ?? "", "base64url");
    expect(
      parsePrivateKey(ed25519.export({ type: "pkcs8", format: "pem" }).toString())
        .forLogin()
        .getPublicSSH()
        .subarray(-32),
    ).toEqual(raw);
  });

  it("refuses a public key, and says that it is one", () => {
    expect(() => parsePrivateKey(openssh.public)).toThrow(
      expect.objectContaining({ code: "key-unparsable", message: expect.stringContaining("public key") }),
    );
  });

  it("refuses a PKCS#8 key of a kind that SSH does not know, with the command that helps for others", () => {
    const ed448 = generateKeyPairSync("ed448").privateKey.export({ type: "pkcs8", format: "pem" }).toString();
    expect(() => parsePrivateKey(ed448)).toThrow(
      expect.objectContaining({ code: "key-unparsable", message: expect.stringContaining("ssh-keygen -p") }),
    );
  });

  it("tells how to encrypt a key anew whose cipher it cannot read", ({ skip }) => {
    const path = join(root, "chacha");
    const cipher = "chacha20-poly1305@openssh.com";
    if (spawnSync("ssh-keygen", ["-q", "-t", "ed25519", "-Z", cipher, "-N", PASSPHRASE, "-f", path]).status !== 0)
      skip("ssh-keygen is not installed");
    expect(() => loadKey({ file: path, passphrase: PASSPHRASE })).toThrow(
      expect.objectContaining({ code: "key-unparsable", message: expect.stringContaining("ssh-keygen -p -Z aes256-ctr") }),
    );
  });

  it("shows nothing of the key when it is logged", () => {
    const secret = openssh.private.split("\n")[2] ?? "";
    const key = parsePrivateKey(openssh.private);
    expect(inspect(key, { depth: 9, showHidden: true }) + JSON.stringify(key)).not.toContain(secret.slice(0, 20));
    expect(Object.keys(key)).toEqual(["type", "fingerprint"]);
  });
});

describe("loading a private key", () => {
  it("takes the text and leaves the file alone", () => {
    const made = loadKey({ text: openssh.private, file: join(root, "missing") });
    expect(made).toMatchObject({ from: "text", warnings: [] });
  });

  it.each([undefined, "", " \n"])("takes the file when the text is %j", (text) => {
    expect(loadKey({ file, ...(text !== undefined && { text }) })).toMatchObject({ from: "file", warnings: [] });
  });

  it("falls back to the file with a warning when the text is not a key, and does not repeat the text", () => {
    const made = loadKey({ text: "s3cret rubbish", file });
    expect(made.from).toBe("file");
    expect(made.warnings).toEqual([expect.stringContaining(`using the key file ${file} instead`)]);
    expect(made.warnings.join()).not.toContain("s3cret");
  });

  it.each([
    ["nothing", {}, "no-key", "neither a key string nor a key file is given"],
    ["a missing file", { file: join(root, "missing") }, "key-unreadable", "ENOENT"],
    ["a text that is not a key and no file", { text: "rubbish" }, "key-unparsable", "not a private key"],
    [
      "a text and a file that are both no use",
      { text: "rubbish", file: join(root, "missing") },
      "key-unparsable",
      "nor is the key file: cannot read the key file",
    ],
  ])("fails with %s", (_what, options, code, message) => {
    expect(() => loadKey(options)).toThrow(expect.objectContaining({ code, message: expect.stringContaining(message) }));
  });
});
