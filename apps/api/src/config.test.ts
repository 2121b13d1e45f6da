import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { readConfig } from "./config.ts";

it("the settings of the API have the defaults that .env.example shows", () => {
  const example = readFileSync(new URL("../../../.env.example", import.meta.url), "utf8");
  const written = Object.fromEntries([...example.matchAll(/^([A-Z0-9_]+)=(.*)$/gm)].map(([, name, value]) => [name!, value!]));
  expect(readConfig(written)).toEqual(readConfig({}));
});

it.each([
  ["PODQ_API_PORT", "http"],
  ["PODQ_API_RATE", "0"],
  ["PODQ_API_SESSION_MS", "1"],
  ["PODQ_API_PROXIES", "10.0.0.1, proxy"],
  ["MONGODB_URI", "postgres://secret@x"],
])("a wrong %s is named, without its value", (name, value) => {
  const wrong = (): unknown => readConfig({ [name]: value });
  expect(wrong).toThrow(name);
  expect(wrong).not.toThrow(value);
});
