import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { addressRule } from "@podq/jobs";
import { describe, expect, it, onTestFinished } from "vitest";
import { post, type PostOptions, type Resolve } from "./post.ts";

// A pair for hooks.example that signs itself, for a hundred years.
const key = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgvsXufT8d29PhMqj8
ZzFyVgsxSB5bGcvkCFA5bwfbCFehRANCAAQHMjt9OoStP7+3+4u8QgDsf+yyQQK5
xWTXD8L2mTQZWRSRG+eR+iwZPZ05GuCMDj7ZDHlix9cHfm0t9pAHCXH3
-----END PRIVATE KEY-----`;
const cert = `-----BEGIN CERTIFICATE-----
MIIBoTCCAUegAwIBAgIURF/5k35Y6XRHYrv6M3dR7QiFwpIwCgYIKoZIzj0EAwIw
GDEWMBQGA1UEAwwNaG9va3MuZXhhbXBsZTAgFw0yNjExMjMxNTEyMzJaGA8yMTI2
MTAzMDE1MTIzMlowGDEWMBQGA1UEAwwNaG9va3MuZXhhbXBsZTBZMBMGByqGSM49
AgEGCCqGSM49AwEHA0IABAcyO306hK0/v7f7i7xCAOx/7LJBArnFZNcPwvaZNBlZ
FJEb55H6LBk9nTka4IwOPtkMeWLH1wd+bS32kAcJcfejbTBrMB0GA1UdDgQWBBTW
t4FOae5GRah0aQdc7so+qEr1RDAfBgNVHSMEGDAWgBTWt4FOae5GRah0aQdc7so+
qEr1RDAPBgNVHRMBAf8EBTADAQH/MBgGA1UdEQQRMA+CDWhvb2tzLmV4YW1wbGUw
CgYIKoZIzj0EAwIDSAAwRQIge9ZBVVnhEJdkyYwDajFRoN3l/pRdc4lbt9J+SYnt
7nYCIQCVbHekNlCo07tqBq77S05ZGkF4GglmgMNhY0tyWsZ5hQ==
-----END CERTIFICATE-----`;

async function serve(answer: RequestListener, { tls = false, on = "127.0.0.1" } = {}): Promise<{ port: number; heard: string[] }> {
  const heard: string[] = [];
  const listener: RequestListener = (request, response) => {
    heard.push(`${request.method} ${request.headers.host?.split(":")[0]}${request.url} to ${request.socket.localAddress}`);
    answer(request, response);
  };
  const server = tls ? createTlsServer({ key, cert }, listener) : createServer(listener);
  server.listen(0, on);
  await once(server, "listening");
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, heard };
}

const ok: RequestListener = (request, response) => void request.resume().once("end", () => response.writeHead(204).end());
const loopback = { allowed: addressRule(["127.0.0.0/8"]) };
const toLoopback: Resolve = async () => [{ address: "127.0.0.1", family: 4 }];
const toBoth: Resolve = async () => [{ address: "::1", family: 6 }, { address: "10.0.0.1", family: 4 }, ...(await toLoopback(""))];
const never: Resolve = async () => new Promise(() => undefined);
const send = async (url: string, options: PostOptions) => post({ url, headers: { "x-a": "b" }, body: "{}" }, options);

describe("a webhook's request", () => {
  it.each([
    ["127.0.0.1", "http://127.0.0.1"],
    ["a number for it", "http://2130706433"],
    ["its IPv6 form", "http://[::ffff:127.0.0.1]"],
    ["localhost", "http://localhost"],
    ["a name for it", "http://inside.example"],
  ])("to %s is not made unless that is allowed", async (_, origin) => {
    const { port, heard } = await serve(ok);
    const resolve = toLoopback;
    await expect(send(`${origin}:${port}/`, { allowed: addressRule([]), resolve })).rejects.toMatchObject({ code: "forbidden-address" });
    expect(heard).toEqual([]);
    expect(await send(`${origin}:${port}/`, { ...loopback, resolve })).toEqual({ status: 204, retryAfterMs: null });
    expect(heard).toHaveLength(1);
  });

  it("dials the address that was looked at, whatever the name says a moment later", async () => {
    const { port, heard } = await serve(ok, { on: "0.0.0.0" });
    let asked = 0;
    const resolve = async () => [{ address: asked++ === 0 ? "127.0.0.2" : "127.0.0.1", family: 4 }];
    const allowed = addressRule(["127.0.0.2"]);
    const again = async () => send(`http://rebound.example:${port}/`, { allowed, resolve });
    expect((await again()).status).toBe(204);
    expect([asked, heard]).toEqual([1, ["POST rebound.example/ to 127.0.0.2"]]);
    await expect(again()).rejects.toMatchObject({ code: "forbidden-address" });
    expect([asked, heard.length]).toEqual([2, 1]);
  });

  it("leaves out the addresses of a name that are not allowed", async () => {
    const { port, heard } = await serve(ok);
    expect((await send(`http://both.example:${port}/x`, { ...loopback, resolve: toBoth })).status).toBe(204);
    expect(heard).toEqual(["POST both.example/x to 127.0.0.1"]);
  });

  it("follows no redirect", async () => {
    const { port, heard } = await serve((_, response) => response.writeHead(307, { location: "/elsewhere" }).end());
    expect((await send(`http://127.0.0.1:${port}/`, loopback)).status).toBe(307);
    expect(heard).toHaveLength(1);
  });

  it("reads an answer without end only so far", async () => {
    let written = 0;
    const { port } = await serve((_, response) => {
      const more = (): void => {
        while (!response.destroyed && response.write(Buffer.alloc(65_536))) written += 65_536;
      };
      response.on("drain", more);
      more();
    });
    expect((await send(`http://127.0.0.1:${port}/`, loopback)).status).toBe(200);
    expect(written).toBeLessThan(64 * 1_048_576);
  });

  it.each<[string, RequestListener]>([
    ["does not answer", () => undefined],
    ["answers byte by byte", (_, response) => void setInterval(() => response.socket?.write("H"), 20).unref()],
  ])("to one who %s ends in time", async (_, answer) => {
    const { port } = await serve(answer);
    await expect(send(`http://127.0.0.1:${port}/`, { ...loopback, timeoutMs: 300 })).rejects.toMatchObject({ name: "PostError" });
  });

  it("ends in time while a name is being looked up", async () => {
    await expect(send("http://slow.example/", { ...loopback, resolve: never, timeoutMs: 300 })).rejects.toMatchObject({
      code: "timed-out",
    });
  });

  it("checks the certificate, for the name and not for the address", async () => {
    const { port, heard } = await serve(ok, { tls: true });
    const resolve = toLoopback;
    const to = async (host: string, more: object = {}) => send(`https://${host}:${port}/`, { ...loopback, resolve, ...more });
    await expect(to("hooks.example")).rejects.toMatchObject({
      code: "unreachable",
      message: expect.stringMatching(/self.signed/) as string,
    });
    await expect(to("other.example", { ca: cert })).rejects.toMatchObject({ message: expect.stringContaining("altname") as string });
    expect(heard).toEqual([]);
    expect((await to("hooks.example", { ca: cert })).status).toBe(204);
  });

  it.each([
    ["120", 120_000],
    [new Date(Date.now() + 3_600_000).toUTCString(), 3_600_000],
    ["soon", null],
    ["-1", null],
  ])("is told when to come again: %s", async (text, ms) => {
    const { port } = await serve((_, response) => response.writeHead(503, { "retry-after": text }).end());
    const { retryAfterMs } = await send(`http://127.0.0.1:${port}/`, loopback);
    expect(retryAfterMs === null).toBe(ms === null);
    expect(Math.abs((retryAfterMs ?? 0) - (ms ?? 0))).toBeLessThan(60_000);
  });
});
