import type { CreateOptions } from "@podq/client";
import { UsageError } from "./config.ts";

/** A pod's probes, as a create takes them. */
export type Probes = NonNullable<CreateOptions["probes"]>;

/** What `--probe` is. */
export const probeHelp = "readiness=, liveness= or startup= http:PORT/PATH, tcp:PORT, exec:COMMAND or JSON; again for more";

const kinds = ["readiness", "liveness", "startup"] as const;

/** `readiness=http:8080/healthz`, `liveness=exec:test -e /tmp/up` (run by the pod's sh), `startup={"tcp":{"port":80},"failureThreshold":30}`; once or more. */
export function collectProbe(text: string, sofar: Probes = {}): Probes {
  const at = text.indexOf("=");
  const kind = kinds.find((one) => one === text.slice(0, at));
  if (kind === undefined) throw new UsageError(`${JSON.stringify(text)} is not ${kinds.map((one) => `${one}=...`).join(" or ")}`);
  return { ...sofar, [kind]: probeOf(text.slice(at + 1)) };
}

function probeOf(text: string): unknown {
  if (text.startsWith("{")) return fromJson(text);
  const [, way, rest = ""] = /^(http|tcp|exec):(.+)$/s.exec(text) ?? [];
  const [, port, path] = /^(\d{1,5})(\/.*)?$/s.exec(rest) ?? [];
  if (way === "exec") return { exec: ["sh", "-c", rest] };
  if (way === "tcp" && port !== undefined && path === undefined) return { tcp: { port: Number(port) } };
  if (way === "http" && port !== undefined) return { http: { port: Number(port), ...(path !== undefined && { path }) } };
  throw new UsageError(`${JSON.stringify(text)} is not http:PORT/PATH, tcp:PORT, exec:COMMAND or JSON`);
}

function fromJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new UsageError(`${JSON.stringify(text)} is no JSON`);
  }
}
