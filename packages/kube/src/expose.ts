import { untilUnmodified } from "./fence.ts";
import { observationOf } from "./observation.ts";
import type { PodObservation } from "./observation.ts";
import { publicationOf, published } from "./ports.ts";
import type { Publication } from "./ports.ts";
import type { Scaling } from "./scale.ts";
import { publish } from "./service.ts";

/** Changes what a pod publishes, and nothing else of it: its processes go on. The same change again changes nothing. */
export async function republish(scaling: Scaling, change: (there: Publication) => Publication): Promise<PodObservation> {
  const { identity, bounds } = scaling;
  const there = await untilUnmodified(bounds, async () => {
    const there = await scaling.look();
    if (there.deployment === undefined) return there;
    const next = change(published({}, there.service && publicationOf(there.service)));
    // Also what is so already is written: with its number there, no earlier attempt can make it otherwise.
    return { ...there, service: await publish(scaling, there.service, next) };
  });
  return observationOf(identity, there);
}
