import { apiVersion, RESOURCES } from "./resources.ts";

// kubectl asks these for one thing: whether the server checks fields by itself (the parameter fieldValidation of a kind's PATCH).
// If it does, kubectl downloads no schemas to check with.

const root = (group: string): string => (group ? `apis/${group}/v1` : "api/v1");

const query = (name: string): object => ({ name, in: "query", schema: { type: "string", uniqueItems: true } });

/** The list of OpenAPI v3 documents. */
export function openApiIndex(): object {
  const groups = [...new Set(RESOURCES.map(({ group }) => group))];
  return { paths: Object.fromEntries(groups.map((group) => [root(group), { serverRelativeURL: `/openapi/v3/${root(group)}?hash=1` }])) };
}

/** The OpenAPI v3 document of one group, by its path under /openapi/v3/; undefined if there is no such group. */
export function openApiDocument(path: string): object | undefined {
  const own = RESOURCES.filter((one) => root(one.group) === path);
  if (own.length === 0) return undefined;
  const paths = own.map((one) => {
    const { group, version, kind, plural, namespaced } = one;
    const operation = {
      parameters: ["dryRun", "fieldManager", "fieldValidation", "force"].map(query),
      responses: { 200: { description: "OK" } },
      "x-kubernetes-action": "patch",
      "x-kubernetes-group-version-kind": { group, version, kind },
    };
    return [
      `/${group ? `apis/${apiVersion(one)}` : "api/v1"}${namespaced ? "/namespaces/{namespace}" : ""}/${plural}/{name}`,
      { patch: operation },
    ];
  });
  return {
    openapi: "3.0.0",
    info: { title: "Kubernetes", version: "v1.36.3" },
    paths: Object.fromEntries(paths),
    components: { schemas: {} },
  };
}
