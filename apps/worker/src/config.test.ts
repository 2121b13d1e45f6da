import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { readConfig } from "./config.ts";

const example = readFileSync(new URL("../../../.env.example", import.meta.url), "utf8");
const standard = /^OTEL_/; // OpenTelemetry reads its own
const written = Object.fromEntries([...example.matchAll(/^([A-Z0-9_]+)=(.*)$/gm)].map(([, name, value]) => [name!, value!]));

describe("the settings of a worker", () => {
  it("have the defaults that .env.example shows, every one of them", () => {
    expect(readConfig(written)).toEqual(readConfig({}));
  });

  it("stand in .env.example, which has no others but those of the API and the command", () => {
    const read = ["config.ts", "../../api/src/config.ts", "../../cli/src/config.ts"].flatMap((file) =>
      [...readFileSync(new URL(file, import.meta.url), "utf8").matchAll(/^ {2}([A-Z][A-Z0-9_]+): /gm)].map(([, name]) => name!),
    );
    const own = Object.keys(written).filter((name) => !standard.test(name));
    expect(own.toSorted((a, b) => a.localeCompare(b))).toEqual([...new Set(read)].toSorted((a, b) => a.localeCompare(b)));
  });

  it.each([
    ["K8S_SSH_PORT", "ssh"],
    ["K8S_SSH_PORT", "70000"],
    ["REDIS_URL", "localhost"],
    ["MONGODB_URI", "http://localhost"],
    ["PODQ_INSTALLATION", "Not A Label"],
    ["PODQ_LEASE_MS", "-1"],
    ["PODQ_LOG_LEVEL", "loud"],
    ["PODQ_INGRESS_URL", "https://apps.example.org"],
    ["PODQ_INGRESS_CLASS", "nginx"],
  ])("name %s when it is %s, and do not repeat the value of it", (name, value) => {
    const wrong = (): unknown => readConfig({ [name]: value });
    expect(wrong).toThrow(name);
    expect(wrong).not.toThrow(`"${value}"`);
  });

  it("have an ingress where its URLs are given", () => {
    const url = "https://{port}-{pod}.apps.example.org";
    expect(readConfig({ PODQ_INGRESS_URL: url, PODQ_INGRESS_CLASS: "nginx" }).ingress).toEqual({ url, className: "nginx" });
    expect(readConfig({}).ingress).toBeUndefined();
  });

  it("cannot be changed", () => {
    expect(Object.isFrozen(readConfig({}))).toBe(true);
  });
});
