import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { readConfig } from "../config.ts";

const dir = mkdtempSync(join(tmpdir(), "podq-hosts-"));
const path = join(dir, "hosts.yaml");
afterAll(() => rmSync(dir, { recursive: true }));

const read = (text: string, env: Record<string, string> = {}) => {
  writeFileSync(path, text);
  return readConfig({ PODQ_HOSTS_FILE: path, ...env }).hosts;
};

describe("a hosts file", () => {
  it("gives what it does not say its default, and finds keys beside itself", () => {
    const [host, other, ...more] = read("hosts: [{ name: a, ssh: { host: h, keyFile: key } }, { name: b, ssh: { host: i } }]");
    expect(more).toEqual([]);
    expect(host).toEqual({
      name: "a",
      ssh: {
        host: "h",
        port: 22,
        username: "root",
        keyFile: join(dir, "key"),
        keyString: undefined,
        passphrase: undefined,
        knownHosts: join(homedir(), ".ssh/known_hosts"),
        trustNewHost: false,
        commands: { connections: 4, channels: 5 },
        sessions: { connections: 8, channels: 8 },
      },
      kubectl: "kubectl",
      accessHost: undefined,
      labels: {},
      weight: 1,
      capacity: null,
      drained: false,
      whenDown: "wait",
    });
    expect(other?.ssh.keyFile).toBe(join(homedir(), ".ssh/id_rsa"));
  });

  it("is shown by an example that can be used", () => {
    const env = { PODQ_HOSTS_FILE: join(import.meta.dirname, "../../hosts.example.yaml"), EU_1_PASSPHRASE: "x" };
    const [host, plain] = readConfig(env).hosts;
    // Where the example says that it shows a default, the host that says nothing has the same.
    const { kubectl, drained, whenDown } = host!;
    expect({ kubectl, drained, whenDown }).toEqual({ kubectl: plain?.kubectl, drained: plain?.drained, whenDown: plain?.whenDown });
    const { host: _address, passphrase: _secret, ...ssh } = host!.ssh;
    expect(plain?.ssh).toMatchObject(ssh);
  });

  it("may be JSON, and takes the place of the single host's variables", () => {
    const hosts = read(JSON.stringify({ hosts: [{ name: "a", ssh: { host: "h" }, weight: 0.5, capacity: 3 }] }), { K8S_SSH_HOST: "x" });
    expect(hosts.map(({ ssh, weight, capacity }) => [ssh.host, weight, capacity])).toEqual([["h", 0.5, 3]]);
  });

  it("takes passphrases from the variables that it names", () => {
    const text = "hosts: [{ name: a, ssh: { host: h, passphraseVariable: A_SECRET } }]";
    expect(read(text, { A_SECRET: "s3" })[0]?.ssh.passphrase).toBe("s3");
    expect(() => read(text)).toThrow(/host a: ssh\.passphraseVariable: there is no variable A_SECRET/);
  });

  it.each([
    ["is not there", undefined, /PODQ_HOSTS_FILE.*ENOENT/],
    ["is no YAML", "hosts: [", /PODQ_HOSTS_FILE.*is no YAML/],
    ["has no hosts", "hosts: []", /hosts: must name at least one host/],
    ["is a list", "- name: a", /PODQ_HOSTS_FILE/],
    ["has a host without a name", "hosts: [{ ssh: { host: h } }]", /host number 1: name/],
    ["has a name that is none", "hosts: [{ name: A_b, ssh: { host: h } }]", /host A_b: name: must be a DNS label/],
    ["has a port that is none", "hosts: [{ name: a, ssh: { host: h, port: 0 } }]", /host a: ssh\.port/],
    ["has a word that nobody knows", "hosts: [{ name: a, ssh: { host: h }, wieght: 2 }]", /host a: .*wieght/],
    ["has two of a name", "hosts: [{ name: a, ssh: { host: h } }, { name: a, ssh: { host: i } }]", /host a: name: there are two/],
  ])("that %s is refused with what to mend", (_what, text, mend) => {
    if (text === undefined) rmSync(path, { force: true });
    else writeFileSync(path, text);
    expect(() => readConfig({ PODQ_HOSTS_FILE: path })).toThrow(mend);
  });
});
