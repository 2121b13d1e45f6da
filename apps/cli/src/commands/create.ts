import { Option, type Command } from "commander";
import { addressOf, collectPair, finish, wholeNumber, withOwner, withPodq, type CliContext, type OwnerOptions } from "../context.ts";
import { allowHelp, collectAllowed, networkOf } from "../network-option.ts";
import { podLines } from "../output.ts";
import { collectPort, refuseWaitOfDetached, waitIfAsked, type PortOption } from "../wait-port.ts";
import { collectProbe, probeHelp, type Probes } from "../probe-option.ts";

type Options = OwnerOptions & {
  template?: string;
  image?: string;
  memory?: string;
  cpu?: string;
  memoryRequests?: string;
  cpuRequests?: string;
  env?: Record<string, string>;
  label?: Record<string, string>;
  hostLabel?: Record<string, string>;
  user?: number;
  storage?: string;
  port?: PortOption[];
  access?: "nodePort" | "clusterIP" | "ingress";
  waitPort?: number;
  ttlMs?: number;
  idleAfterMs?: number;
  onIdle?: "stop" | "delete";
  ifChanged?: "ignore" | "update" | "reject";
  probe?: Probes;
  network?: "none" | "default";
  allow?: Parameters<typeof collectAllowed>[1];
  internet?: boolean;
  timeoutMs?: number;
  idempotencyKey?: string;
  callbackUrl?: string;
  detach?: boolean;
  json?: boolean;
};

/** `podq create`: makes an owner's pod, or brings it to run. */
export function addCreate(program: Command, context: CliContext): void {
  withOwner(program.command("create").description("make an owner's pod, or bring it to run"))
    .option("--template <name[@version]>", "what it is made from; what is given beside it wins")
    .option("--image <reference>", "image of the pod (default gitpod/workspace-full:latest)")
    .option("--memory <quantity>", "memory limit (default 200Mi)")
    .option("--cpu <quantity>", "cpu limit (default 200m)")
    .option("--memory-requests <quantity>", "memory request (default 100Mi)")
    .option("--cpu-requests <quantity>", "cpu request (default 100m)")
    .option("--env <KEY=VALUE>", "variable of the pod's main process; again for more", collectPair)
    .option("--label <KEY=VALUE>", "label; again for more", collectPair)
    .option("--host-label <KEY=VALUE>", "label of the host that a new pod is placed on; again for more", collectPair)
    .option("--user <uid>", "uid, gid and fsGroup (default 1000)", wholeNumber)
    .option("--storage <quantity>", "size limit of /workspace (default 10Gi)")
    .option("--port <NAME=PORT>", "port by which others reach it, NAME=PORT/udp for UDP; again for more (default http=8080)", collectPort)
    .addOption(new Option("--access <how>", "how its ports are reached (default nodePort)").choices(["nodePort", "clusterIP", "ingress"]))
    .option("--wait-port <port>", "wait until something listens at this port inside it", wholeNumber)
    .option("--ttl-ms <ms>", "delete it so long after this", wholeNumber)
    .option("--idle-after-ms <ms>", "end it when it was not used for so long", wholeNumber)
    .addOption(new Option("--on-idle <what>", "how to end it then (default stop)").choices(["stop", "delete"]))
    .addOption(
      new Option("--if-changed <what>", "what to do with one that is there and differs (default ignore)").choices([
        "ignore",
        "update",
        "reject",
      ]),
    )
    .option("--probe <PROBE>", probeHelp, collectProbe)
    .addOption(new Option("--network <fence>", "what it may be connected to (default: DNS and the internet)").choices(["none", "default"]))
    .option("--allow <WHOM>", allowHelp, collectAllowed)
    .option("--no-internet", "only what --allow names, and DNS")
    .option("--timeout-ms <ms>", "time to get it to run (default 300000)", wholeNumber)
    .option("--idempotency-key <key>", "the same key with the same request is the first job again")
    .option("--callback-url <url>", "where podq's API tells of the job's end")
    .option("--detach", "print the job's id and do not wait")
    .option("--json", "print JSON")
    .argument("[command...]", "main process of the pod, as an argv after --")
    .action(async (command: string[], options: Options) => {
      const { memory, cpu, memoryRequests, cpuRequests, template, image, env, label, user, storage, port, access } = options;
      const { ttlMs, idleAfterMs, onIdle, ifChanged, timeoutMs, idempotencyKey, callbackUrl } = options;
      const resources = given({ memory, cpu, memoryRequests, cpuRequests });
      const labels = label;
      const request = given({
        template,
        image,
        env,
        user,
        storage,
        ports: port,
        access,
        ttlMs,
        idleAfterMs,
        onIdle,
        ifChanged,
        timeoutMs,
        idempotencyKey,
        callbackUrl,
        labels,
        placement: options.hostLabel && { labels: options.hostLabel },
        probes: options.probe,
        network: networkOf(given({ network: options.network, allow: options.allow, internet: options.internet })),
        command: command.length === 0 ? undefined : command,
      });
      const address = addressOf(options);
      refuseWaitOfDetached(options);
      await withPodq(async (podq) => {
        const pod = podq.pod(address);
        const made = await finish(context, await pod.create({ ...request, resources }), options, podLines);
        if (made) await waitIfAsked(context, pod, options);
      });
    });
}

type Given<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

/** Without what was not given. */
export function given<T extends object>(options: T): Given<T> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as Given<T>;
}
