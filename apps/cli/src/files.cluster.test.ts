// Files of a pod, through everything: SDK and command, MongoDB, worker, pod.
import { createHash, randomBytes } from "node:crypto";
import { chmod, lstat, mkdir, mkdtemp, readdir, readFile, readlink, rm, symlink, writeFile } from "node:fs/promises";
import { readFileSync } from "node:fs";
import type { ChildProcess } from "node:child_process";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { connect, type Files, type Pod } from "@podq/client";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { endProcess, setScene, type Scene } from "./testing.ts";

let scene: Scene;
let worker: ChildProcess;
let pod: Pod;
let files: Files;
let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "podq-files-"));
  scene = await setScene();
  worker = await scene.startWorker();
  const { podq, cluster, small } = scene;
  pod = podq.pod({ project: "f" });
  ({ files } = pod);
  await (await pod.create({ image: cluster.image, resources: { ...small, memory: "256Mi", cpu: "1" } })).result();
});
afterAll(async () => {
  await scene?.stop();
  await rm(dir, { recursive: true, force: true });
});

const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
const mebibyte = 1_048_576;
const sh = async (line: string): Promise<string> => (await pod.run(line, { parallel: true })).stdout.text(); // beside a transfer
const read = async (path: string | Uint8Array): Promise<Buffer> => Buffer.concat(await Array.fromAsync(files.get(path)));
// The most memory a process has had at once, in MiB.
const peak = ({ pid }: ChildProcess): number => Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024;

async function make(): Promise<string> {
  const top = await mkdtemp(join(dir, "tree-"));
  await mkdir(join(top, "deep/er"), { recursive: true });
  await mkdir(join(top, "empty"));
  await writeFile(join(top, "deep/er/run.sh"), "#!/bin/sh\n");
  await chmod(join(top, "deep/er/run.sh"), 0o755);
  await writeFile(Buffer.concat([Buffer.from(`${top}/deep/`), Buffer.from([0xff, 0x0a])]), "odd");
  await writeFile(join(top, "n".repeat(120)), "long");
  await writeFile(join(top, "big"), randomBytes(5 * mebibyte));
  await writeFile(join(top, "-zero"), "");
  await symlink("er/run.sh", join(top, "deep/link"));
  await symlink("../deep", join(top, "deep/up"));
  return top;
}

async function* failing(): AsyncGenerator<Uint8Array> {
  yield randomBytes(mebibyte);
  throw new Error("the disk here is broken");
}

describe("a file", () => {
  it.each([
    ["nothing", Buffer.alloc(0)],
    ["one byte", Buffer.from([0])],
    ["any bytes", Buffer.from(Array.from({ length: 70_000 }, (_, n) => n % 256))],
    ["more than one part", randomBytes(3 * mebibyte + 17)],
  ])("of %s comes back as it went", async (_, bytes) => {
    const put = await files.put("some/where/x", bytes);
    expect(put).toEqual({ bytes: bytes.byteLength, sha256: sha256(bytes) });
    expect(await sh("sha256sum </workspace/some/where/x")).toBe(`${sha256(bytes)}  -\n`);
    expect(sha256(await read("/workspace/some/where/x"))).toBe(sha256(bytes));
  });

  it("may have any name", async () => {
    const names = ["a b", "-n", "new\nline\n", "q'\"$(x)`\\0101", "é", Buffer.from([0xff, 0xfe, 0x20, 0x5c])];
    for (const name of names) {
      const path = Buffer.concat([Buffer.from("odd/"), Buffer.from(name as Uint8Array)]);
      await files.put(path, Buffer.from(name as Uint8Array));
      expect(await read(path)).toEqual(Buffer.from(name as Uint8Array));
    }
    const listed = await files.list("odd");
    expect(listed.map(({ pathBytes }) => pathBytes)).toEqual(
      names.map((name) => Buffer.from(name as Uint8Array)).toSorted((a, b) => Buffer.compare(a, b)),
    );
    expect(listed.map(({ type, size }) => ({ type, size }))).toEqual(
      listed.map(({ pathBytes }) => ({ type: "file", size: pathBytes.byteLength })),
    );
    for (const { pathBytes } of listed) expect(await files.remove(Buffer.concat([Buffer.from("odd/"), pathBytes]))).toBe(true);
    expect(await files.list("odd")).toEqual([]);
  });

  it("takes the place of another one at once, also of a link", async () => {
    await sh("mkdir -p /workspace/at/dir; ln -s dir /workspace/at/link; echo old >/workspace/at/old");
    await files.put("at/old", "new");
    await files.put("at/link", "file now", { mode: 0o755 });
    expect(await sh("cat at/old; cat at/link; ls at/dir; test -L at/link || stat -c %a at/link; ls -A at")).toBe(
      "newfile now755\ndir\nlink\nold\n",
    );
  });

  it("that is not there, or is none, is a named error", async () => {
    await expect(read("no/such")).rejects.toMatchObject({ code: "not-found" });
    await expect(read("at/none")).rejects.toMatchObject({ code: "not-found" });
    await expect(read("at/dir")).rejects.toMatchObject({ code: "path-refused" });
    await expect(files.put("at/dir", "x")).rejects.toMatchObject({ code: "path-refused" });
    await expect(files.put("at/old/x", "x")).rejects.toMatchObject({ code: "path-refused" });
    expect(await files.remove("at/none")).toBe(false);
    await expect(files.remove("at")).rejects.toMatchObject({ code: "path-refused" });
    expect(await files.remove("at", { recursive: true })).toBe(true);
    expect(await sh("ls -A /workspace/at 2>&1 || echo gone")).toContain("gone");
  });

  it("does not change under its reader", async () => {
    await sh("dd if=/dev/zero of=changing bs=1048576 count=70");
    let changed = false;
    const reading = (async (): Promise<void> => {
      for await (const _ of files.get("changing")) {
        if (!changed) await sh("echo more >>changing");
        changed = true;
      }
    })();
    await expect(reading).rejects.toMatchObject({ code: "conflict" });
  });

  it("that several put at once is that of one of them", async () => {
    const all = Array.from({ length: 6 }, () => randomBytes(mebibyte / 2));
    await Promise.all(all.map(async (bytes) => files.put("same", bytes)));
    expect(all.map(sha256)).toContain(sha256(await read("same")));
    expect(await sh("ls -A /workspace | grep -c podq-put || true")).toBe("0\n");
  });
});

describe("a path", () => {
  beforeAll(async () => {
    await sh(
      "mkdir -p in; ln -s /tmp out; ln -s ../../../tmp out2; ln -s in here; ln -s /workspace/in/x abs; echo x >in/x; ln -s /etc/passwd pw; echo secret >/tmp/podq-secret",
    );
  });

  it.each([
    "/etc/passwd",
    "../etc/passwd",
    "in/../../etc/passwd",
    "/workspace/../etc/x",
    "/workspaces/x",
    "a\0b",
    "out/x",
    "out2/x",
    "out/new/x",
  ])("that leads out is refused: %s", async (path) => {
    await expect(files.put(path, "x")).rejects.toMatchObject({ code: "path-refused" });
    await expect(read(path)).rejects.toMatchObject({ code: expect.stringMatching(/path-refused|not-found/) as string });
    await expect(files.list(path)).rejects.toMatchObject({ code: expect.stringMatching(/path-refused|not-found/) as string });
    await expect(
      files.remove(path, { recursive: true }).then((gone) => gone || Promise.reject({ code: "not-found" })),
    ).rejects.toMatchObject({ code: expect.stringMatching(/path-refused|not-found/) as string });
  });

  it("that is a link is followed only inside", async () => {
    await expect(read("pw")).rejects.toMatchObject({ code: "path-refused" });
    await expect(files.list("out")).rejects.toMatchObject({ code: "path-refused" });
    expect((await read("here/x")).toString()).toBe("x\n");
    expect((await read("abs")).toString()).toBe("x\n");
    expect(await sh("cat /tmp/podq-secret; ls /tmp/x /tmp/new 2>/dev/null; true")).toBe("secret\n");
    expect(await files.remove("out", { recursive: true })).toBe(true); // the link
    expect(await sh("cat /tmp/podq-secret")).toBe("secret\n");
  });
});

describe("a tree", () => {
  // Every name as hex, with what it is.
  const describeTree = async (top: Buffer): Promise<string[]> => {
    const all: string[] = [];
    for (const name of await readdir(top, { encoding: "buffer" })) {
      const path = Buffer.concat([top, Buffer.from("/"), name]);
      const found = await lstat(path);
      const hex = name.toString("hex");
      if (found.isDirectory()) all.push(hex, ...(await describeTree(path)).map((one) => `${hex}/${one}`));
      else
        all.push(
          `${hex} ${found.isSymbolicLink() ? await readlink(path) : `${(found.mode & 0o100) !== 0} ${sha256(await readFile(path))}`}`,
        );
    }
    return all.toSorted();
  };

  it("comes back as it went: odd and long names, links, empty folders, permissions", async () => {
    const top = await make();
    await files.putTree(top, "trees/one");
    const back = join(dir, "back");
    await files.getTree("trees/one", back);
    expect(await describeTree(Buffer.from(back))).toEqual(await describeTree(Buffer.from(top)));
    expect(await sh("ls -A /workspace/trees")).toBe("one\n");
  });

  it("goes into what is there, on both sides, and leaves the rest", async () => {
    const top = await make();
    await sh("mkdir -p trees/two/deep; echo keep >trees/two/deep/keep; echo old >trees/two/big");
    await files.putTree(top, "trees/two");
    expect(await sh("cat trees/two/deep/keep; wc -c <trees/two/big; ls -A trees")).toBe(`keep\n${5 * mebibyte}\none\ntwo\n`);
    const back = join(dir, "back-two");
    await mkdir(join(back, "deep"), { recursive: true });
    await writeFile(join(back, "deep/mine"), "mine");
    await files.getTree("trees/two", back);
    expect(await readFile(join(back, "deep/mine"), "utf8")).toBe("mine");
    expect(await readFile(join(back, "deep/keep"), "utf8")).toBe("keep\n");
    expect((await readdir(dir)).filter((name) => name.startsWith(".podq-get"))).toEqual([]);
  });

  it("has no link that leads out of it, in neither direction, and goes through none that is there", async () => {
    const top = await make();
    await symlink("/etc", join(top, "out"));
    await expect(files.putTree(top, "trees/three")).rejects.toMatchObject({
      code: "path-refused",
      message: expect.stringContaining("out: ") as string,
    });
    expect(await sh("ls trees/three 2>&1 || echo none")).toContain("none");
    const skipped: string[] = [];
    await files.putTree(top, "trees/three", { onSkip: (name) => skipped.push(name.toString()) });
    expect(skipped).toEqual(["out"]);

    await sh("ln -s ../../../etc trees/three/deep/evil; mkdir -p trees/four; ln -s /tmp trees/four/deep");
    await expect(files.getTree("trees/three", join(dir, "evil"))).rejects.toMatchObject({ code: "path-refused" });
    expect(await readdir(dir)).not.toContain("evil");
    await rm(join(top, "out"));
    await expect(files.putTree(top, "trees/four")).rejects.toMatchObject({ code: "path-refused" });
    expect(await sh("ls /tmp/er 2>&1 || echo none")).toContain("none");

    const linked = join(dir, "linked");
    await mkdir(linked);
    await symlink(join(dir, "elsewhere"), join(linked, "deep"));
    await mkdir(join(dir, "elsewhere"));
    await rm(join(top, "big"));
    await sh("rm trees/three/deep/evil");
    await expect(files.getTree("trees/three", linked)).rejects.toMatchObject({ code: "path-refused" });
    expect(await readdir(join(dir, "elsewhere"))).toEqual([]);
  });
});

describe("podq cp", () => {
  it("copies a file of 100 MiB in and out, and keeps nothing of it in memory", { timeout: 300_000 }, async () => {
    const bytes = randomBytes(100 * mebibyte);
    const [from, to] = [join(dir, "large"), join(dir, "large.back")];
    await writeFile(from, bytes);
    const before = peak(worker);
    expect(await scene.cli(["cp", "--project", "f", from, ":/workspace/"])).toEqual({ code: 0, stdout: "", stderr: "" });
    expect(await sh("sha256sum <large")).toBe(`${sha256(bytes)}  -\n`);
    expect(await scene.cli(["cp", "--project", "f", ":large", to])).toEqual({ code: 0, stdout: "", stderr: "" });
    expect(sha256(await readFile(to))).toBe(sha256(bytes));
    expect(peak(worker) - before).toBeLessThan(150);
    await files.remove("large");
  });

  it("copies a folder, and lists and removes it", async () => {
    const top = join(dir, "app");
    await mkdir(join(top, "src"), { recursive: true });
    await writeFile(join(top, "src/main.txt"), "main");
    await scene.cli(["cp", "--project", "f", top, ":/workspace/"]);
    const { stdout } = await scene.cli(["files", "ls", "--project", "f", "-r", "app"]);
    expect(stdout).toMatch(/^d.755 .* src\n-0644 +4 .* src\/main.txt\n$/);
    await scene.cli(["cp", "--project", "f", ":app", join(dir, "app2")]);
    expect(await readFile(join(dir, "app2/src/main.txt"), "utf8")).toBe("main");
    expect((await scene.cli(["cp", "--project", "f", ":app/src/main.txt", "-"])).stdout).toBe("main");
    expect((await scene.cli(["cp", "--project", "f", "-", ":app/stdin"], {}, "piped")).code).toBe(0);
    expect(await sh("cat app/stdin")).toBe("piped");
    expect((await scene.cli(["files", "rm", "--project", "f", "-r", "app"])).code).toBe(0);
    expect(await scene.cli(["files", "rm", "--project", "f", "app"])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("not-found") as string,
    });
  });
});

describe("over HTTP", () => {
  it("files are read, written, listed and removed, and the SDK does the same", async () => {
    const { url } = await scene.startApi();
    const at = `${url}/v1/pods/project/f/files`;
    const put = async (path: string, body: string | Buffer<ArrayBuffer>): Promise<Response> =>
      fetch(`${at}?path=${path}`, { method: "PUT", body, headers: { "content-type": "application/octet-stream" } });
    const bytes = randomBytes(mebibyte);
    expect(await (await put("web/a%20b&mode=755", bytes)).json()).toEqual({ bytes: mebibyte, sha256: sha256(bytes) });
    expect(sha256(new Uint8Array(await (await fetch(`${at}?path=web/a%20b`)).arrayBuffer()))).toBe(sha256(bytes));
    const { items } = (await (await fetch(`${at}/list?path=web`)).json()) as { items: object[] };
    expect(items).toEqual([expect.objectContaining({ path: "a b", type: "file", size: mebibyte, mode: 0o755 })]);
    expect(new Uint8Array(await (await fetch(`${at}/tar?path=web`)).arrayBuffer()).byteLength).toBe(mebibyte + 3 * 512);
    const answers = [put("../x", "x"), fetch(`${at}?path=none`), fetch(`${url}/v1/pods/project/nobody/files?path=x`)];
    expect((await Promise.all(answers)).map(({ status }) => status)).toEqual([400, 404, 404]);
    expect((await fetch(`${at}?path=web/a%20b`, { method: "DELETE" })).status).toBe(204);
    expect((await fetch(`${at}?path=web/a%20b`, { method: "DELETE" })).status).toBe(404);

    await using over = await connect({ url });
    const there = over.pod({ project: "f" }).files;
    const large = randomBytes(5 * mebibyte);
    await there.put("web/sdk", Readable.from([large]));
    expect(sha256(Buffer.concat(await Array.fromAsync(there.get("web/sdk"))))).toBe(sha256(large));
    await expect(there.put("/etc/x", "x")).rejects.toMatchObject({ code: "path-refused" });
  });
});

describe("a transfer whose worker is killed in the middle", () => {
  it("goes on, both ways, and is right in the end", { timeout: 200_000 }, async () => {
    const bytes = randomBytes(24 * mebibyte);
    const more = Promise.withResolvers<void>();
    async function* stream(): AsyncGenerator<Uint8Array> {
      yield bytes.subarray(0, 9 * mebibyte);
      await more.promise;
      yield bytes.subarray(9 * mebibyte);
    }
    const putting = files.put("cut", stream());
    await expect.poll(async () => sh("wc -c .podq-put-* 2>/dev/null | grep -c . || true"), { timeout: 30_000 }).toBe("1\n");
    expect(await sh("ls cut 2>&1 || echo none")).toContain("none");
    await endProcess(worker, "SIGKILL");
    worker = await scene.startWorker();
    more.resolve();
    expect(await putting).toMatchObject({ sha256: sha256(bytes) });
    let cut = false;
    const hash = createHash("sha256");
    for await (const piece of files.get("cut")) {
      hash.update(piece);
      if (cut) continue;
      cut = true;
      await endProcess(worker, "SIGKILL");
      worker = await scene.startWorker();
    }
    expect(hash.digest("hex")).toBe(sha256(bytes));
  });

  it("leaves nothing when its source fails, or its caller gives it up", async () => {
    await expect(files.put("half", failing())).rejects.toThrow("the disk here is broken");
    const stop = new AbortController();
    async function* endless(): AsyncGenerator<Uint8Array> {
      for (;;) {
        yield randomBytes(mebibyte);
        if (!stop.signal.aborted) setTimeout(() => stop.abort(new Error("enough")), 500);
      }
    }
    await expect(files.put("half", endless(), { signal: stop.signal })).rejects.toThrow("enough");
    await expect.poll(async () => sh("ls -A | grep -e half -e podq-put || echo none"), { timeout: 30_000 }).toBe("none\n");
  });
});

describe("a volume", () => {
  it("whose folder may not be written to is a named error, and nothing is left", async () => {
    await sh("mkdir -p ro && chmod 555 ro");
    await expect(files.put("ro/x", "x")).rejects.toMatchObject({ code: "path-refused" });
    expect(await sh("ls -A ro")).toBe("");
  });
});
