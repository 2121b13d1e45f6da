import { appendFileSync, existsSync, mkdirSync, readFileSync } from "node:fs";
import { dirname } from "node:path";
import type { ServerHostKeyAlgorithm } from "ssh2";
import { SshError } from "./errors.ts";
import { askKnownHosts, type KnownHost, keyType, knownHostsLine, knownTypes, parseKnownHosts } from "./known-hosts.ts";

/** Which host keys are believed. */
export type HostKeysOptions = {
  /** A known_hosts file; read at every dial, so that an added line counts without a restart. */
  file?: string;
  /** Further lines of known_hosts. */
  lines?: string;
  /** Believe the first key of a host that no line names, and keep it: in the file, else in memory. Default false. */
  trustOnFirstUse?: boolean;
};

/** A host's place: what known_hosts is asked with. */
export type HostAddress = { host: string; port: number };

/** The judge of host keys. */
export type HostKeys = {
  /** Signature algorithms in the order to offer: those of the keys on file first, else a host with several keys shows the wrong one. */
  algorithms(address: HostAddress): ServerHostKeyAlgorithm[];
  /** Null if the key is believed, else why not. */
  refusal(address: HostAddress, key: Buffer): string | null;
};

const ALGORITHMS = new Map<string, ServerHostKeyAlgorithm[]>([
  ["ssh-ed25519", ["ssh-ed25519"]],
  ["ecdsa-sha2-nistp256", ["ecdsa-sha2-nistp256"]],
  ["ecdsa-sha2-nistp384", ["ecdsa-sha2-nistp384"]],
  ["ecdsa-sha2-nistp521", ["ecdsa-sha2-nistp521"]],
  ["ssh-rsa", ["rsa-sha2-512", "rsa-sha2-256", "ssh-rsa"]],
]);

/** A judge by known_hosts. Never throws later: a file that cannot be read refuses, and says so. */
export function createHostKeys(options: HostKeysOptions): HostKeys {
  const remembered: KnownHost[] = parseKnownHosts(options.lines ?? "");
  const lines = (): KnownHost[] => [...readLines(options.file), ...remembered];

  return {
    algorithms: (address) => {
      const onFile = safely(() => knownTypes(lines(), address)) ?? [];
      return [...new Set([...onFile, ...ALGORITHMS.keys()].flatMap((type) => ALGORITHMS.get(type) ?? []))];
    },
    refusal: (address, key) => {
      try {
        return judge(address, key);
      } catch (error) {
        return messageOf(error);
      }
    },
  };

  function judge(address: HostAddress, key: Buffer): string | null {
    const answer = askKnownHosts(lines(), address, key);
    const line = knownHostsLine(address, key);
    const place = options.file ?? "known_hosts";
    const whose = `the host key of ${address.host} port ${address.port}`;
    if (answer.is === "right") return null;
    if (answer.is === "revoked") return `${whose} is revoked (${keyType(key)}; ${place}, line ${answer.line})`;
    if (answer.is === "wrong") {
      return `${whose} is not the known one: somebody may be in between, or the host was made anew. It shows: ${line} (known: ${place}, line ${answer.lines.join(", ")})`;
    }
    if (!options.trustOnFirstUse) return `${whose} is not known. If it is the right one, add this line to ${place}: ${line}`;
    keep(line);
    return null;
  }

  function keep(line: string): void {
    if (!options.file) {
      remembered.push(...parseKnownHosts(line));
      return;
    }
    try {
      mkdirSync(dirname(options.file), { recursive: true, mode: 0o700 });
      const before = existsSync(options.file) ? readFileSync(options.file, "utf8") : "";
      appendFileSync(options.file, `${before === "" || before.endsWith("\n") ? "" : "\n"}${line}\n`, { mode: 0o600 });
    } catch (error) {
      throw new SshError("known-hosts", `cannot write ${options.file}: ${messageOf(error)}`, { cause: error });
    }
  }
}

function readLines(file: string | undefined): KnownHost[] {
  if (!file) return [];
  try {
    return parseKnownHosts(readFileSync(file, "utf8"));
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return [];
    throw new SshError("known-hosts", `cannot read ${file}: ${messageOf(error)}`, { cause: error });
  }
}

function safely<T>(get: () => T): T | undefined {
  try {
    return get();
  } catch {
    return undefined;
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
