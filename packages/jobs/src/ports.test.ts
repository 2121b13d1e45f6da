import { spawn } from "node:child_process";
import { createServer, type AddressInfo } from "node:net";
import { once } from "node:events";
import { describe, expect, it } from "vitest";
import { parseRequest } from "./catalog.ts";
import { portWait } from "./ports.ts";

const owner = { project: "p1" };
const create = (params: object): unknown => parseRequest("create", { owner, params }).params;

describe("the ports of a create", () => {
  it("are taken as they are given, and none are made up", () => {
    const ports = [
      { name: "web", port: 3000 },
      { name: "web-udp", port: 3000, protocol: "UDP" },
    ];
    expect(create({ ports, access: "clusterIP" })).toMatchObject({ ports, access: "clusterIP" });
    expect(create({})).not.toHaveProperty("ports");
    expect(create({})).not.toHaveProperty("access");
  });

  it.each<[string, unknown, RegExp]>([
    ["none", [], /params\.ports is empty/],
    ["seventeen", Array.from({ length: 17 }, (_, n) => ({ name: `p${n}`, port: n + 1 })), /more than 16/],
    ["no name", [{ port: 1 }], /params\.ports\.0\.name/],
    ["a name in capitals", [{ name: "Web", port: 1 }], /no name of a port/],
    ["a name of digits", [{ name: "80", port: 1 }], /no name of a port/],
    ["a name that is a host name of its own kind", [{ name: "xn--a", port: 1 }], /no name of a port/],
    ["a name of 16 characters", [{ name: "a".repeat(16), port: 1 }], /longer than 15/],
    ["port 0", [{ name: "a", port: 0 }], /params\.ports\.0\.port must be at least 1/],
    ["port 65536", [{ name: "a", port: 65_536 }], /must be at most 65535/],
    [
      "a name twice",
      [
        { name: "a", port: 1 },
        { name: "a", port: 2 },
      ],
      /names two ports alike/,
    ],
    [
      "a number twice",
      [
        { name: "a", port: 1 },
        { name: "b", port: 1, protocol: "TCP" },
      ],
      /has a port twice/,
    ],
    ["a protocol of its own", [{ name: "a", port: 1, protocol: "SCTP" }], /params\.ports\.0\.protocol/],
  ])("with %s are refused", (_what, ports, words) => {
    expect(() => create({ ports })).toThrow(
      expect.objectContaining({ code: "invalid-request", message: expect.stringMatching(words) as string }),
    );
  });
});

it("an expose and an unexpose say which port", () => {
  expect(parseRequest("expose", { owner, params: { port: 3000 } }).params).toEqual({ port: 3000, timeoutMs: 300_000 });
  expect(parseRequest("unexpose", { owner, params: { name: "api" } }).params).toEqual({ name: "api", timeoutMs: 300_000 });
  expect(() => parseRequest("expose", { owner })).toThrow(/params\.port/);
  expect(() => parseRequest("unexpose", { owner })).toThrow(/params\.name/);
});

describe("the wait for a port", () => {
  it("refuses what is no port, and asks for a time", () => {
    expect(() => portWait({ port: 0 })).toThrow(expect.objectContaining({ code: "invalid-request" }));
    expect(() => portWait({ port: 1, timeoutMs: 0 })).toThrow(expect.objectContaining({ code: "invalid-request" }));
    expect(portWait({ port: 1 })).toMatchObject({ timeoutMs: 60_000, parallel: true });
  });

  it.each(["127.0.0.1", "::"])("ends when something listens at %s, and not before", async (address) => {
    const server = createServer().listen(0, address);
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    server.close();
    await once(server, "close");
    const [program = "", ...args] = portWait({ port }).command;
    const waiting = spawn(program, args, { stdio: "ignore" });
    let listened = false;
    const ended = once(waiting, "exit").then(([code]) => ({ code: code as number | null, listened }));
    try {
      await once(waiting, "spawn");
      listened = true;
      const again = createServer().listen(port, address);
      await once(again, "listening");
      expect(await ended).toEqual({ code: 0, listened: true });
      again.close();
    } finally {
      waiting.kill("SIGKILL");
    }
  });
});
