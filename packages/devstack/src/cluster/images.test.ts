import { describe, expect, it } from "vitest";
import { imageName } from "./images.ts";

describe("the name of an image", () => {
  it.each([
    ["localhost/workspace:1", "localhost/workspace:1"],
    ["gitpod/workspace-full:latest", "docker.io/gitpod/workspace-full:latest"],
    ["gitpod/workspace-full", "docker.io/gitpod/workspace-full:latest"],
    ["busybox", "docker.io/library/busybox:latest"],
    ["registry.example:5000/a/b", "registry.example:5000/a/b:latest"],
    [`a@sha256:${"0".repeat(64)}`, `docker.io/library/a@sha256:${"0".repeat(64)}`],
    ["HOST/a", "HOST/a:latest"],
    ["Bad Image::", undefined],
    ["lower/UPPER", undefined],
    ["a:", undefined],
    ["", undefined],
  ])("%j is completed to %j", (text, name) => {
    expect(imageName(text)).toBe(name);
  });
});
