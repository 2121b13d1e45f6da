import { templateWire } from "@podq/jobs";
import { z } from "zod";
import { PodqError } from "../errors.ts";
import { checkedRef, type Templates } from "../templates.ts";
import type { Transport } from "./transport.ts";

const path = (ref: string): string => `/v1/templates/${encodeURIComponent(ref)}`;
const listed = z.object({ items: z.array(templateWire) });
const applied = templateWire.extend({ isNew: z.boolean() });

/** The templates over HTTP. */
export function httpTemplates(transport: Transport): Templates {
  return {
    apply: async ({ name, ...body }) => applied.parse(await transport.json(path(name), { method: "PUT", body })),
    async get(ref) {
      checkedRef(ref);
      try {
        return templateWire.parse(await transport.json(path(ref)));
      } catch (error) {
        if (error instanceof PodqError && error.code === "not-found") return null;
        throw error;
      }
    },
    list: async (name) => listed.parse(await transport.json("/v1/templates", { query: { name } })).items,
    delete: async (name) => void (await transport.json(path(name), { method: "DELETE" })),
  };
}
