/** Which methods the paths take, learned from the routes as they are added: for the answer to a method that a path does not take. */
export type Methods = {
  add: (url: string, methods: readonly string[]) => void;
  /** The methods that a path takes, in order, of the route that names most of it; none: there is no such path. */
  of: (path: string) => readonly string[];
};

/** Knows no route yet. Their urls are Fastify's: `/v1/jobs/:id`, `/docs/*`. */
export function createMethods(): Methods {
  const routes: { path: RegExp; open: number; methods: readonly string[] }[] = [];
  return {
    add(url, methods) {
      const escaped = url.replaceAll(/[.+?^${}()|[\]\\]/g, String.raw`\$&`);
      const path = new RegExp(`^${escaped.replaceAll(/:\w+/g, "[^/]+").replaceAll("*", ".*")}$`);
      routes.push({ path, open: url.split(/[:*]/).length, methods });
    },
    of(path) {
      const fit = routes.filter((route) => route.path.test(path));
      const least = Math.min(...fit.map(({ open }) => open));
      return [...new Set(fit.flatMap(({ open, methods }) => (open === least ? methods : [])))].sort();
    },
  };
}
