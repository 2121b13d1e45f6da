import { describe, expect, it } from "vitest";
import { podNames } from "./names.ts";
import type { Service } from "./objects.ts";
import { publicationOf, published, publishedOtherwise, withoutPort, withPort } from "./ports.ts";
import type { Port, Publication } from "./ports.ts";
import { serviceOf } from "./service.ts";

const identity = podNames({ installation: "podq", kind: "project", id: "p1", name: "default", generation: 1 });
const settings = { url: "https://{port}-{pod}.apps.example.org" };
const tcp = (name: string, port: number): Port => ({ name, port, protocol: "TCP" });
const [http, web, api] = [tcp("http", 8080), tcp("web", 3000), tcp("api", 4000)];
const udp: Port = { name: "dns", port: 53, protocol: "UDP" };
const of = (ports: Port[], exposed: string[] = [], access: Publication["access"] = "nodePort"): Publication => ({ access, ports, exposed });

describe("what is published", () => {
  it.each<[Publication]>([
    [of([http])],
    [of([http, udp], ["dns"])],
    [of([web, api, http], ["api", "http"], "clusterIP")],
    [of([web, api], ["api"], "ingress")],
  ])("is read of a Service as it was written: %j", (publication) => {
    expect(publicationOf(serviceOf(identity, publication, settings) as Service)).toEqual(publication);
  });

  it("is 8080 at a node port, where nobody has said or made anything else", () => {
    expect(published({}, undefined)).toEqual(of([http]));
  });

  it.each<[string, Parameters<typeof published>, Publication]>([
    ["stays as it is when a create says nothing", [{}, of([web, api], ["api"], "clusterIP")], of([web, api], ["api"], "clusterIP")],
    ["is what a create asks for", [{ ports: [web], access: "clusterIP" }, of([http])], of([web], [], "clusterIP")],
    ["keeps its ports when only the access is asked for", [{ access: "ingress" }, of([web])], of([web], [], "ingress")],
    ["keeps what was exposed beside what is asked for", [{ ports: [web] }, of([http, api], ["api"])], of([web, api], ["api"])],
    [
      "gives up what was exposed under a name that is asked for",
      [{ ports: [tcp("api", 1)] }, of([http, api], ["api"])],
      of([tcp("api", 1)]),
    ],
    [
      "gives up what was exposed at a number that is asked for",
      [{ ports: [tcp("x", 4000)] }, of([http, api], ["api"])],
      of([tcp("x", 4000)]),
    ],
  ])("%s", (_what, [asked, there], expected) => {
    expect(published(asked, there)).toEqual(expected);
  });

  it.each<[string[], Parameters<typeof publishedOtherwise>]>([
    [[], [{}, of([web], [], "clusterIP")]],
    [[], [{ ports: [http, web] }, of([web, http])]],
    [[], [{ ports: [http] }, of([http, api], ["api"])]],
    [[], [{ ports: [http, api] }, of([http, api], ["api"])]],
    [["ports"], [{ ports: [http] }, of([http, api])]],
    [["ports"], [{ ports: [http, api] }, of([http])]],
    [["ports"], [{ ports: [tcp("http", 80)] }, of([http])]],
    [
      ["ports", "access"],
      [{ ports: [web], access: "clusterIP" }, of([http])],
    ],
  ])("differs in %j", (fields, [asked, there]) => {
    expect(publishedOtherwise(asked, there)).toEqual(fields);
  });
});

describe("a port", () => {
  it("is exposed under its name, or one made of its number", () => {
    expect(withPort(of([http]), api)).toEqual(of([http, api], ["api"]));
    expect(withPort(of([http]), { port: 3000, protocol: "TCP" })).toEqual(of([http, tcp("port-3000", 3000)], ["port-3000"]));
    expect(withPort(of([http]), { port: 3000, protocol: "UDP" }).exposed).toEqual(["udp-3000"]);
  });

  it("that is there stays as it is, also when no name is given", () => {
    const there = of([http, api], ["api"]);
    expect(withPort(there, api)).toBe(there);
    expect(withPort(there, { port: 8080, protocol: "TCP" })).toBe(there);
  });

  it.each<[string, Port, RegExp]>([
    ["name", tcp("http", 81), /^port http \(81\/TCP\) cannot be exposed beside port http \(8080\/TCP\)/],
    ["number", tcp("other", 8080), /^port other \(8080\/TCP\) cannot be exposed beside port http \(8080\/TCP\)/],
  ])("with the %s of another is refused", (_what, port, words) => {
    expect(() => withPort(of([http]), port)).toThrow(expect.objectContaining({ code: "conflict", message: expect.stringMatching(words) }));
  });

  it("may have another's number in the other protocol, and no place among sixty-four", () => {
    expect(withPort(of([http]), { ...http, name: "quic", protocol: "UDP" }).ports).toHaveLength(2);
    const full = of(Array.from({ length: 64 }, (_, n) => tcp(`p${n}`, 1 + n)));
    expect(() => withPort(full, api)).toThrow(expect.objectContaining({ code: "conflict" }));
  });

  it("is taken away by its name; one that is not there changes nothing, and the last one stays", () => {
    const there = of([http, api], ["api"]);
    expect(withoutPort(there, "api")).toEqual(of([http]));
    expect(withoutPort(there, "http")).toEqual(of([api], ["api"]));
    expect(withoutPort(there, "nope")).toBe(there);
    expect(() => withoutPort(of([http]), "http")).toThrow(expect.objectContaining({ code: "conflict" }));
  });
});
