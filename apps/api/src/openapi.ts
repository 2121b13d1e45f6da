import swagger from "@fastify/swagger";
import swaggerUi from "@fastify/swagger-ui";
import { jsonSchemaTransform } from "fastify-type-provider-zod";
import type { App } from "./server.ts";

type Body = { required?: boolean; content: Record<string, { schema?: { anyOf?: { type?: unknown }[] } }> };
type Document = { paths?: Record<string, Record<string, { requestBody?: Body }>> };

const bytes = "application/octet-stream";

/**
 * Makes the description of the API from the schemas of its routes, and the page that shows it, under this content security policy.
 * To be called before the routes are added.
 */
export async function describeRoutes(app: App, staticCSP: string): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: "3.1.0",
      info: { title: "podq", version: "1", description: "Pods made, commands run in them and pods deleted, as background jobs." },
      components: { securitySchemes: { token: { type: "http", scheme: "bearer" } } },
      security: [{ token: [] }],
    },
    // A body of bytes is checked by no schema, so the route has none to describe it.
    transform: (route) => {
      const transformed = jsonSchemaTransform(route);
      const takesBytes = route.schema?.consumes?.includes(bytes) === true;
      return takesBytes ? { ...transformed, schema: { ...transformed.schema, body: { type: "string", format: "binary" } } } : transformed;
    },
    transformObject: (made) => {
      if (!("openapiObject" in made)) return made.swaggerObject;
      for (const path of Object.values((made.openapiObject as Document).paths ?? {}))
        for (const { requestBody } of Object.values(path)) if (requestBody !== undefined) loosen(requestBody);
      return made.openapiObject;
    },
  });
  await app.register(swaggerUi, { routePrefix: "/docs", staticCSP });
}

// Where null will do as a body, none will do as well.
function loosen(body: Body): void {
  const [content] = Object.values(body.content);
  if (content?.schema?.anyOf?.some(({ type }) => type === "null") === true) body.required = false;
}
