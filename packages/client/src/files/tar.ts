import { PodqError } from "../errors.ts";
import { refusalsInTurn, showName } from "./paths.ts";

/** One thing of a tree on its way. Names are from the tree's top on. */
export type TreeEntry = {
  name: Buffer;
  mode: number;
  modifiedAt: Date;
} & (
  | { type: "directory" }
  | { type: "symlink"; target: Buffer }
  | { type: "file"; size: number; content: () => AsyncIterable<Uint8Array> }
);

const block = 512;
const flags = { file: "0", symlink: "2", directory: "5" } as const;
const longest = 100;
const largestOctal = 0o77777777777;

/** A tree as a tar. Names are bytes there, which is why this is not left to a library. Throws PodqError `path-refused`, `conflict`. */
export async function* pack(entries: AsyncIterable<TreeEntry>): AsyncGenerator<Buffer> {
  const refusalOfNext = refusalsInTurn();
  for await (const entry of entries) {
    const target = entry.type === "symlink" ? entry.target : undefined;
    const refusal = refusalOfNext(entry.name, entry.type, target);
    if (refusal !== null) throw new PodqError("path-refused", `${showName(entry.name)}: ${refusal}`);
    const name = entry.type === "directory" ? Buffer.concat([entry.name, Buffer.from("/")]) : entry.name;
    const size = entry.type === "file" ? entry.size : 0;
    if (name.byteLength > longest) yield long("L", name);
    if (target !== undefined && target.byteLength > longest) yield long("K", target);
    yield header(name, flags[entry.type], { size, mode: entry.mode, at: entry.modifiedAt, ...(target && { target }) });
    if (entry.type !== "file") continue;
    let sent = 0;
    for await (const piece of entry.content()) {
      sent += piece.byteLength;
      if (sent > size) break;
      yield Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength);
    }
    if (sent !== size) throw new PodqError("conflict", `${showName(entry.name)}: changed while it was read`);
    yield padding(size);
  }
  yield Buffer.alloc(2 * block);
}

// GNU's way to say a long name: as the content of an entry before it.
function long(flag: string, name: Buffer): Buffer {
  const content = Buffer.concat([name, Buffer.alloc(1)]);
  const head = header(Buffer.from("././@LongLink"), flag, { size: content.byteLength, mode: 0, at: new Date(0) });
  return Buffer.concat([head, content, padding(content.byteLength)]);
}

function padding(size: number): Buffer {
  return Buffer.alloc((block - (size % block)) % block);
}

function header(name: Buffer, flag: string, { size, mode, at, target }: { size: number; mode: number; at: Date; target?: Buffer }): Buffer {
  const head = Buffer.alloc(block);
  name.copy(head, 0, 0, longest);
  head.write(octal(mode, 7), 100);
  head.write(octal(0, 7), 108);
  head.write(octal(0, 7), 116);
  if (size <= largestOctal) head.write(octal(size, 11), 124);
  else {
    head[124] = 0x80;
    head.writeBigUInt64BE(BigInt(size), 128);
  }
  head.write(octal(Math.max(0, Math.floor(at.getTime() / 1_000)), 11), 136);
  head.write(" ".repeat(8), 148);
  head.write(flag, 156);
  target?.copy(head, 157, 0, longest);
  head.write("ustar  \0", 257);
  head.write(
    `${octal(
      head.reduce((sum, byte) => sum + byte, 0),
      6,
    )}\0 `,
    148,
  );
  return head;
}

function octal(value: number, digits: number): string {
  return value.toString(8).padStart(digits, "0");
}
