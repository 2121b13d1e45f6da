import type { Fleet } from "../fleet.ts";
import type { Fault } from "../plan.ts";
import type { Producers } from "../producers.ts";
import type { Scene } from "../scene.ts";
import type { Caller } from "../work/caller.ts";
import type { Event } from "../work/told.ts";

/** What faults are injected into. `leaseMs` is the workers'. */
export type Field = {
  scene: Scene;
  fleet: Fleet;
  producers: Producers;
  caller: Caller;
  tell: (event: Event) => void;
  projects: readonly string[];
  leaseMs: number;
};

/** Whom a fault hit, and in words what of its effect was seen. */
type Seen = { what: string; worker?: string };

/** Injects a fault and takes it back. Null: its effect was not seen, so it does not count. */
export type Inject = (field: Field, fault: Fault) => Promise<Seen | null>;
