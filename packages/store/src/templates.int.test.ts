import { randomBytes } from "node:crypto";
import { expect, inject, it } from "vitest";
import { openStore, type Store } from "./store.ts";

async function open(): Promise<Store & AsyncDisposable> {
  const uri = new URL(inject("services").mongodbUri);
  uri.pathname = `/t${randomBytes(6).toString("hex")}`;
  const store = await openStore({ uri: uri.href, appName: "podq-test" });
  return { ...store, [Symbol.asyncDispose]: store.close };
}

it("a template that is saved again is a new version only if it says something else", async () => {
  await using store = await open();
  const body = { image: "a", env: { B: "$x", A: "1" }, labels: { "a.b/c": "d" } };
  expect(await store.templates.save("py", body)).toMatchObject({ isNew: true, template: { name: "py", version: 1, body } });
  expect(await store.templates.save("py", { labels: { "a.b/c": "d" }, env: { A: "1", B: "$x" }, image: "a" })).toMatchObject({
    isNew: false,
    template: { version: 1, body },
  });
  expect(await store.templates.save("py", { image: "b" })).toMatchObject({ isNew: true, template: { version: 2 } });
  expect(await store.templates.save("py", body)).toMatchObject({ isNew: true, template: { version: 3 } });
  expect((await store.templates.find("py", null))?.version).toBe(3);
  expect((await store.templates.find("py", 2))?.body).toEqual({ image: "b" });
  expect(await store.templates.find("py", 4)).toBeNull();
});

it("of those that save at once each has a version of its own, or one that says the same", async () => {
  await using store = await open();
  const saved = await Promise.all(Array.from({ length: 20 }, async (_, n) => store.templates.save("py", { image: `i${n % 10}` })));
  for (const [n, { template }] of saved.entries()) expect(template.body).toEqual({ image: `i${n % 10}` });
  const versions = (await store.templates.list("py")).map(({ version }) => version);
  expect(versions).toEqual(Array.from({ length: versions.length }, (_, n) => versions.length - n));
  expect(versions.length).toBeGreaterThanOrEqual(10);
});

it("a deleted template is not found, what was accepted with it is made, and its numbers are not given again", async () => {
  await using store = await open();
  await store.templates.save("a", { image: "x" });
  await store.templates.save("py", { image: "x" });
  await store.templates.save("py", { image: "y" });
  expect((await store.templates.list()).map(({ name, version }) => `${name}@${version}`)).toEqual(["a@1", "py@2"]);
  expect(await store.templates.remove("py")).toBe(true);
  expect(await store.templates.remove("py")).toBe(false);
  expect(await store.templates.find("py", null)).toBeNull();
  expect(await store.templates.find("py", 1)).toBeNull();
  expect((await store.templates.list()).map(({ name }) => name)).toEqual(["a"]);
  expect(await store.templates.bodyOf({ name: "py", version: 1 })).toEqual({ image: "x" });
  expect(await store.templates.save("py", { image: "y" })).toMatchObject({ isNew: true, template: { version: 3 } });
});
