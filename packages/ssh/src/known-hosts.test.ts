import { createHmac } from "node:crypto";
import { describe, expect, it } from "vitest";
import { askKnownHosts, hostName, keyType, knownHostsLine, knownTypes, parseKnownHosts } from "./known-hosts.ts";

function key(type: string, fill: number): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(type.length);
  return Buffer.concat([length, Buffer.from(type), Buffer.alloc(32, fill)]);
}

const good = key("ssh-ed25519", 1);
const other = key("ssh-ed25519", 2);
const rsa = key("ssh-rsa", 3);
const line = (hosts: string, of = good): string => `${hosts} ${keyType(of)} ${of.toString("base64")} a comment`;
const ask = (text: string, host = "host.example", port = 22): string => askKnownHosts(parseKnownHosts(text), { host, port }, good).is;

function hashed(name: string): string {
  const salt = Buffer.from("0123456789abcdefghij");
  return `|1|${salt.toString("base64")}|${createHmac("sha1", salt).update(name).digest("base64")}`;
}

describe("known_hosts", () => {
  it.each([
    ["a plain name", line("host.example"), "right"],
    ["one name of several", line("other,host.example,10.0.0.1"), "right"],
    ["a name in capitals", line("HOST.example"), "right"],
    ["a hashed name", line(hashed("host.example")), "right"],
    ["another hashed name", line(hashed("host.examplf")), "unknown"],
    ["a star", line("*.example"), "right"],
    ["a question mark", line("hos?.example"), "right"],
    ["a dot that is only a dot", line("host-example"), "unknown"],
    ["a negation before", line("!host.example,*.example"), "unknown"],
    ["a negation after", line("*.example,!host.*"), "unknown"],
    ["a negation of another", line("*.example,!bad.example"), "right"],
    ["another key", line("host.example", other), "wrong"],
    ["another and then the right key", `${line("host.example", other)}\n${line("host.example")}`, "right"],
    ["a key of another type only", line("host.example", rsa), "wrong"],
    ["another host", line("elsewhere"), "unknown"],
    ["nothing", "", "unknown"],
    ["comments, blanks and rubbish", `# ${line("host.example")}\n\nhost.example\n  \nhost.example ssh-ed25519\n`, "unknown"],
    ["a revoked key", `@revoked ${line("*")}\n${line("host.example")}`, "revoked"],
    ["another revoked key", `@revoked ${line("*", other)}\n${line("host.example")}`, "right"],
    ["a certificate authority, which is not a host key", `@cert-authority ${line("host.example")}`, "unknown"],
    ["Windows line ends", `${line("elsewhere")}\r\n${line("host.example")}\r\n`, "right"],
  ])("with %s", (_what, text, answer) => {
    expect(ask(text)).toBe(answer);
  });

  it.each([
    ["[host.example]:2222", line("[host.example]:2222"), "right"],
    ["the same hashed", line(hashed("[host.example]:2222")), "right"],
    ["another port", line("[host.example]:2223"), "unknown"],
    ["a name without a port, which vouches for every port", line("host.example"), "right"],
    ["a name without a port and another key, which accuses nobody", line("host.example", other), "unknown"],
    [
      "the port's own wrong line before a right one without a port",
      `${line("[host.example]:2222", other)}\n${line("host.example")}`,
      "wrong",
    ],
  ])("at port 2222, with %s", (_what, text, answer) => {
    expect(ask(text, "host.example", 2222)).toBe(answer);
  });

  it("names the lines that speak against a key", () => {
    const lines = parseKnownHosts(`# first\n${line("host.example", other)}\n${line("*", rsa)}`);
    expect(askKnownHosts(lines, { host: "host.example", port: 22 }, good)).toEqual({ is: "wrong", lines: [2, 3] });
  });

  it("lists the types on file, so that the host is asked for a key that can be checked", () => {
    const lines = parseKnownHosts(`${line("host.example", rsa)}\n@revoked ${line("host.example")}\n${line("host.example", rsa)}`);
    expect(knownTypes(lines, { host: "host.example", port: 22 })).toEqual(["ssh-rsa"]);
  });

  it("writes a line that makes the key known", () => {
    const text = knownHostsLine({ host: "host.example", port: 2222 }, good);
    expect(text).toBe(`${hostName("host.example", 2222)} ssh-ed25519 ${good.toString("base64")}`);
    expect(ask(text, "host.example", 2222)).toBe("right");
  });
});
