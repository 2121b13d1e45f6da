import { describe, expect, it } from "vitest";
import type { KubeObject } from "./object.ts";
import { parseFieldSelector, parseLabelSelector } from "./selector.ts";

describe("a label selector", () => {
  it.each([
    ["", { a: "1" }, true],
    ["a=1", { a: "1" }, true],
    ["a==1,b!=2", { a: "1" }, true],
    ["a=1,b!=2", { a: "1", b: "2" }, false],
    ["a in (1, 2),b", { a: "2", b: "" }, true],
    ["a in (1,2)", {}, false],
    ["a notin (1,2)", {}, true],
    ["a notin (1,2)", { a: "1" }, false],
    ["!a", {}, true],
    ["!a", { a: "1" }, false],
    ["podq.dev/pod=x", { "podq.dev/pod": "x" }, true],
  ])("%j of %j is %j", (text, labels, selected) => {
    expect(parseLabelSelector(text)(labels)).toBe(selected);
  });

  it("that cannot be read is a bad request", () => {
    expect(() => parseLabelSelector("a b")).toThrow("unable to parse requirement");
  });
});

describe("a field selector", () => {
  const event: KubeObject = {
    apiVersion: "v1",
    kind: "Event",
    metadata: { name: "e", namespace: "n", uid: "", resourceVersion: "", creationTimestamp: "" },
    involvedObject: { uid: "u" },
  };
  it.each([
    ["metadata.name=e", true],
    ["metadata.name!=e", false],
    ["involvedObject.uid=u,metadata.namespace=n", true],
    ["involvedObject.uid=v", false],
  ])("%j is %j", (text, selected) => {
    expect(parseFieldSelector(text, "events", "/v1, Resource=events")(event)).toBe(selected);
  });

  it("of a field that is not indexed is a bad request in the server's words", () => {
    expect(() => parseFieldSelector("metadata.nope=x", "pods", "/v1, Resource=pods")).toThrow(
      'Unable to find "/v1, Resource=pods" that match label selector "", field selector "metadata.nope=x": field label not supported: metadata.nope',
    );
  });
});
