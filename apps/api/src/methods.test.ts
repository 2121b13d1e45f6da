import { expect, it } from "vitest";
import { createMethods } from "./methods.ts";

const methods = createMethods();
methods.add("/v1/jobs/:id", ["GET"]);
methods.add("/v1/jobs/:id", ["HEAD"]);
methods.add("/v1/pods/:owner/:id", ["GET", "DELETE"]);
methods.add("/v1/pods/:owner/:id/events", ["GET"]);
methods.add("/v1/pods/:owner/:id/:name", ["GET", "PUT"]);
methods.add("/openapi.json", ["GET"]);
methods.add("/docs/*", ["GET"]);

it.each([
  ["a path with a part", "/v1/jobs/j1", ["GET", "HEAD"]],
  ["a path with two", "/v1/pods/project/p1", ["DELETE", "GET"]],
  ["a path that two routes fit", "/v1/pods/project/p1/events", ["GET"]],
  ["a path with a dot", "/openapi.json", ["GET"]],
  ["one that only looks like it", "/openapi-json", []],
  ["anything below", "/docs/static/a.css", ["GET"]],
  ["one part too many", "/v1/jobs/j1/x", []],
  ["nothing in a part", "/v1/jobs/", []],
])("of %s: %s takes %j", (_what, path, expected) => {
  expect(methods.of(path)).toEqual(expected);
});
