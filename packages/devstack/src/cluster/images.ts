import { chmod, cp, lstat, mkdir, readlink, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** A tree to bind into the pod: `ro` from the machine, `rw` of the pod's own. */
export type Mount = { from: string; to: string; mode: "ro" | "rw" };

/** An image that the embedded registry knows. */
export type Image = {
  name: string;
  id: string;
  /** What runs when the pod gives no command. */
  entrypoint: readonly string[];
  /** The user whom the image itself would run as. */
  user: number;
  /** Makes the root of one container in an empty folder; what it binds comes back. */
  unpack: (root: string, facts: { hostname: string; address: string; uid: number; gid: number }) => Promise<Mount[]>;
};

const workspace = (name: string, id: string): Image => ({
  name,
  id: `sha256:${id.repeat(64)}`,
  entrypoint: [],
  user: 0,
  unpack: unpackWorkspace,
});
const noShell = (name: string): Image => ({ name, id: `sha256:${"c".repeat(64)}`, entrypoint: ["/pause"], user: 0, unpack: unpackNoShell });

/** All images of the embedded registry. */
export const IMAGES: readonly Image[] = [
  workspace("localhost/workspace:1", "a"),
  workspace("localhost/workspace:2", "a"),
  workspace("docker.io/gitpod/workspace-full:latest", "b"),
  noShell("localhost/noshell:1"),
];

const REFERENCE =
  /^(?:[a-zA-Z0-9][a-zA-Z0-9.-]*(?::[0-9]+)?\/)?[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*(?::[\w][\w.-]{0,127})?(?:@[a-z0-9]+:[a-f0-9]{32,})?$/;

/** The full name of an image, as a node completes it: registry and tag added. Undefined if it is no image name at all. */
export function imageName(text: string): string | undefined {
  if (!REFERENCE.test(text)) return undefined;
  const [first = "", ...rest] = text.split("/");
  const hasHost = rest.length > 0 && (first.includes(".") || first.includes(":") || first === "localhost" || first !== first.toLowerCase());
  const repository = hasHost ? text : rest.length > 0 ? `docker.io/${text}` : `docker.io/library/${text}`;
  return /[:@][^/]*$/.test(repository) ? repository : `${repository}:latest`;
}

/** What the node says of something that is no image name. */
export function invalidImageMessage(text: string): string {
  const why = /[A-Z]/.test(text)
    ? `invalid reference format: repository name (library/${text.replace(/:*$/, "")}) must be lowercase`
    : "invalid reference format";
  return `Failed to apply default image tag "${text}": couldn't parse image name "${text}": ${why}`;
}

const DEVICES = ["null", "zero", "full", "random", "urandom", "tty"];

async function skeleton(root: string, facts: { hostname: string; address: string; uid: number; gid: number }): Promise<Mount[]> {
  const { hostname, address, uid, gid } = facts;
  for (const dir of ["proc", "dev/shm", "etc", "tmp", "workspace", "home", "root", "var/tmp", "usr"])
    await mkdir(join(root, dir), { recursive: true });
  const user = uid === 0 ? "" : `workspace:x:${uid}:${gid}::/workspace:/bin/sh\n`;
  const group = gid === 0 ? "" : `workspace:x:${gid}:\n`;
  const files: Record<string, string> = {
    "etc/passwd": `root:x:0:0:root:/root:/bin/sh\n${user}`,
    "etc/group": `root:x:0:\n${group}`,
    "etc/hostname": `${hostname}\n`,
    "etc/hosts": `# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n${address}\t${hostname}\n`,
    "etc/resolv.conf": "search .\nnameserver 127.0.0.1\n",
    "dev/termination-log": "",
  };
  for (const [name, text] of Object.entries(files)) await writeFile(join(root, name), text);
  for (const name of DEVICES) await writeFile(join(root, "dev", name), "");
  for (const [index, name] of ["stdin", "stdout", "stderr"].entries()) await symlink(`/proc/self/fd/${index}`, join(root, "dev", name));
  await symlink("/proc/self/fd", join(root, "dev/fd"));
  for (const dir of ["tmp", "var/tmp", "workspace"]) await chmod(join(root, dir), 0o1777);
  return DEVICES.map((name) => ({ from: `/dev/${name}`, to: `/dev/${name}`, mode: "rw" }));
}

// The programs of this machine, read-only, under an /etc of the image's own.
async function unpackWorkspace(root: string, facts: Parameters<Image["unpack"]>[1]): Promise<Mount[]> {
  const devices = await skeleton(root, facts);
  const trees: Mount[] = [{ from: "/usr", to: "/usr", mode: "ro" }];
  for (const name of ["bin", "sbin", "lib", "lib32", "lib64", "libx32"]) {
    const there = await lstat(`/${name}`).catch(() => undefined);
    if (there?.isSymbolicLink()) await symlink(await readlink(`/${name}`), join(root, name));
    else if (there) {
      await mkdir(join(root, name));
      trees.push({ from: `/${name}`, to: `/${name}`, mode: "ro" });
    }
  }
  for (const name of ["alternatives", "ld.so.cache", "ssl/certs"]) {
    const there = await lstat(`/etc/${name}`).catch(() => undefined);
    if (there) await cp(`/etc/${name}`, join(root, "etc", name), { recursive: true, verbatimSymlinks: true });
  }
  await mkdir(join(root, "opt"));
  await writeFile(join(root, "opt/httpd"), HTTPD, { mode: 0o755 });
  for (const dir of ["", "etc", "opt", "home", "root", "var"]) await chmod(join(root, dir), 0o555);
  return [...trees, ...devices];
}

async function unpackNoShell(root: string): Promise<Mount[]> {
  for (const dir of ["workspace", "proc", "dev/shm"]) await mkdir(join(root, dir), { recursive: true });
  for (const name of DEVICES) await writeFile(join(root, "dev", name), "");
  await writeFile(join(root, "pause"), Buffer.from(PAUSE, "base64"), { mode: 0o555 });
  await chmod(root, 0o555);
  return DEVICES.map((name) => ({ from: `/dev/${name}`, to: `/dev/${name}`, mode: "rw" }));
}

// busybox's httpd, as far as a test needs it: `httpd -f -p PORT -h FOLDER`. It goes to the background without -f.
const HTTPD = `#!/bin/sh
foreground=; port=80; home=.
while getopts fvp:h: option; do
  case $option in f) foreground=1 ;; p) port=\${OPTARG##*:} ;; h) home=$OPTARG ;; *) exit 1 ;; esac
done
set -- python3 -m http.server --directory "$home" "$port"
[ -z "$foreground" ] || exec "$@"
setsid "$@" >/dev/null 2>&1 </dev/null &
`;

// A static x86-64 program of 248 bytes that waits for TERM or INT and exits 0, as the pause program of a real node does:
// rt_sigaction(SIGCHLD, SIG_IGN); rt_sigprocmask(SIG_BLOCK, {INT, TERM}); while (rt_sigtimedwait({INT, TERM}) < 0); exit(0).
const PAUSE =
  "f0VMRgIBAQAAAAAAAAAAAAIAPgABAAAAeABAAAAAAABAAAAAAAAAAAAAAAAAAAAAAAAAAEAAOAABAAAAAAAAAAEAAAAFAAAAAAAAAAAAAAAAAEAAAAAAAAAA" +
  "QAAAAAAA+AAAAAAAAAD4AAAAAAAAAAAQAAAAAAAAuA0AAAC/EQAAAEiNNUcAAAAx0kG6CAAAAA8FuA4AAAAx/0iNNU8AAAAx0kG6CAAAAA8FuIAAAABIjT05" +
  "AAAAMfYx0kG6CAAAAA8FhcB45DH/uDwAAAAPBQEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAkAAAAAAAAA=";
