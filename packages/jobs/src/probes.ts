import { z } from "zod";
import { argv } from "./fields.ts";

const portNumber = z.int({ error: "must be a port from 1 to 65535" }).min(1).max(65_535);
const seconds = (min: number, max: number): z.ZodNumber =>
  z
    .int({ error: "must be a whole number of seconds" })
    .min(min, { error: `must be at least ${min}` })
    .max(max, { error: `must be at most ${max}` });
const threshold = z.int().min(1, { error: "must be at least 1" }).max(1_000, { error: "must be at most 1000" });

// Asked in the pod's own network: another host cannot be named, which Pod Security would refuse.
const asks = {
  /** GET of the path (default "/"), which an answer of 200 to 399 passes. https is not verified. */
  http: z
    .strictObject({
      port: portNumber,
      path: z
        .string()
        .regex(/^\/[!-~]{0,1023}$/, { error: "must be a path that begins with /" })
        .optional(),
      scheme: z.enum(["http", "https"]).optional(),
    })
    .optional(),
  /** A connection, which passes when it opens. */
  tcp: z.strictObject({ port: portNumber }).optional(),
  /** A command in the pod, which passes when it exits with 0. */
  exec: argv.optional(),
};

const times = {
  /** Before the first time. Default 0. */
  initialDelaySeconds: seconds(0, 3_600).optional(),
  /** Between two times. Default 10. */
  periodSeconds: seconds(1, 3_600).optional(),
  /** For one answer. Default 1. */
  timeoutSeconds: seconds(1, 600).optional(),
  /** How often in a row it must fail to count. Default 3. */
  failureThreshold: threshold.optional(),
};

const ways = ["http", "tcp", "exec"] as const;
const oneWay = (probe: { [way in (typeof ways)[number]]?: unknown }): boolean =>
  ways.filter((way) => probe[way] !== undefined).length === 1;
const notOneWay = { error: "must ask in exactly one way: http, tcp or exec" };
const described = { oneOf: ways.map((way) => ({ required: [way] })) };

const probe = z
  .strictObject({ ...asks, ...times })
  .meta(described)
  .refine(oneWay, notOneWay);

/** How the cluster finds out whether a pod does its work. None by default. */
export const probes = z.strictObject({
  /** Whether it is ready: it counts as running, and is reached at its ports, only while this passes. */
  readiness: z
    .strictObject({
      ...asks,
      ...times,
      /** How often in a row it must pass to count. Default 1. */
      successThreshold: threshold.optional(),
    })
    .meta(described)
    .refine(oneWay, notOneWay)
    .optional(),
  /** Whether it is alive: its container is started anew when this fails, and what runs in it ends. */
  liveness: probe.optional(),
  /** Whether it has started: the others wait until this passes, and its container is started anew when it fails. */
  startup: probe.optional(),
});
