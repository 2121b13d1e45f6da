/** Numbers at random that are the same for the same seed: a whole number from 0 up to, not including, `below`. */
export type Dice = (below: number) => number;

/** Dice of a seed; `salt` makes others of the same one. */
export function dice(seed: number, salt = 0): Dice {
  let state = (seed ^ Math.imul(salt + 1, 0x9e3779b9)) >>> 0;
  return (below) => {
    // mulberry32: its low bits are as good as its high ones
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

/** One of the given. */
export function oneOf<T>(roll: Dice, all: readonly T[]): T {
  return all[roll(all.length)]!;
}

/** The given in another order. */
export function shuffled<T>(roll: Dice, all: readonly T[]): T[] {
  const left = [...all];
  return all.map(() => left.splice(roll(left.length), 1)[0]!);
}
