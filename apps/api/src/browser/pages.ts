import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import fastifyStatic from "@fastify/static";
import type { Store } from "@podq/store";
import type { App } from "../server.ts";
import { pagePolicy } from "./headers.ts";

const assets = new URL("../../assets/", import.meta.url);
const page = readFileSync(new URL("pages/app.html", assets), "utf8");
const paths = ["/ui", "/ui/jobs", "/ui/jobs/:id", "/ui/pods/:owner/:id/:name"];

// The few libraries that the pages use, as they are in node_modules.
const libraries = [fileOf("lit-html", "../lit-html.js"), fileOf("ansi_up", "ansi_up.js")];

function fileOf(module: string, file: string): string {
  return join(dirname(createRequire(import.meta.url).resolve(module)), file);
}

/**
 * The pages under `/ui`: pods, jobs, a job's output. They hold nothing themselves: they ask the API for what they show, as
 * whoever is signed in, and see what he may see.
 */
export async function addPages(app: App, { tokens }: Pick<Store, "tokens">): Promise<void> {
  await app.register(async (scope: App) => {
    await scope.register(fastifyStatic, { root: fileURLToPath(new URL("static/", assets)), prefix: "/ui/", wildcard: false, index: false });
    for (const file of libraries)
      scope.get(`/ui/${basename(file)}`, { schema: { hide: true } }, (_request, reply) => reply.sendFile(basename(file), dirname(file)));
    for (const path of paths)
      scope.get(path, { schema: { hide: true } }, (_request, reply) =>
        reply.type("text/html; charset=utf-8").header("content-security-policy", pagePolicy).send(page),
      );
    scope.get("/", { schema: { hide: true } }, (_request, reply) => reply.redirect("/ui", 303));
    scope.get("/ui/me", { schema: { hide: true } }, async ({ caller: { token, scope: may, owners } }) => ({
      token,
      label: token === null ? null : ((await tokens.get(token))?.label ?? null),
      scope: may,
      owners,
    }));
  });
}
