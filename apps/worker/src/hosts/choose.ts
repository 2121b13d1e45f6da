/** A host as whoever places a pod sees it. */
export type Candidate = {
  name: string;
  labels: Readonly<Record<string, string>>;
  weight: number;
  /** Pods at most; null: no bound. */
  capacity: number | null;
  drained: boolean;
  /** Whether it can be reached, as far as is known. */
  up: boolean;
};

/** Whether a host has all the labels that are asked for. */
export function hasLabels(labels: Readonly<Record<string, string>>, asked: Readonly<Record<string, string>>): boolean {
  return Object.entries(asked).every(([key, value]) => labels[key] === value);
}

/** The hosts that a pod may be placed on, or in words why there is none. Those that cannot be reached only count where no other does. */
export function eligibleHosts<Host extends Candidate>(hosts: readonly Host[], asked: Readonly<Record<string, string>>): Host[] | string {
  const labelled = hosts.filter(({ labels }) => hasLabels(labels, asked));
  if (labelled.length === 0) return `no host has the labels ${JSON.stringify(asked)}`;
  const open = labelled.filter(({ drained }) => !drained);
  if (open.length === 0) return `drained: ${labelled.map(({ name }) => name).join(", ")}`;
  const up = open.filter((host) => host.up);
  return up.length > 0 ? up : open;
}

/** The one of them that has, for its weight, the fewest pods; null if all are full. `chance`, 0 to 1, decides between equals. */
export function chooseHost<Host extends Candidate>(
  hosts: readonly Host[],
  pods: ReadonlyMap<string, number>,
  chance = Math.random(),
): Host | null {
  const load = ({ name, weight }: Host): number => ((pods.get(name) ?? 0) + 1) / weight;
  const free = hosts.filter(({ name, capacity }) => capacity === null || (pods.get(name) ?? 0) < capacity);
  const least = Math.min(...free.map(load));
  const best = free.filter((host) => load(host) === least);
  return best[Math.floor(chance * best.length)] ?? null;
}
