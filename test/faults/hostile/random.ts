/** Reproducible chance: the same seed gives the same attack. */

/** FUZZ_SEED, or a random one that each attack reports. */
export function chooseSeed(env: Record<string, string | undefined> = process.env): number {
  const given = Number(env.FUZZ_SEED);
  return env.FUZZ_SEED !== undefined && Number.isInteger(given) ? given | 0 : Math.floor(Math.random() * 2 ** 31);
}

export interface Random {
  /** From 0 up to and without `below`. */
  whole(below: number): number;
  pick<T>(from: readonly T[]): T;
  bytes(count: number): Buffer;
}

/** Mulberry32: small, and good enough to choose nonsense. */
export function createRandom(seed: number): Random {
  let state = seed | 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
  const whole = (below: number) => next() % below;
  return {
    whole,
    pick: (from) => from[whole(from.length)] as (typeof from)[number],
    bytes: (count) => Buffer.from(Array.from({ length: count }, () => next() & 255)),
  };
}
