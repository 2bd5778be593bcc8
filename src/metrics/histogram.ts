/** A histogram of plain numbers: an observation costs some nanoseconds, and prom-client sees it only at a scrape. */
export interface Histogram {
  /** Upper bounds, rising; what is above the last one is counted too. */
  readonly bounds: readonly number[];
  /** How many fell under each bound and not under the one before; the last is for what is above all. */
  readonly counts: number[];
  sum: number;
}

export function createHistogram(bounds: readonly number[]): Histogram {
  return { bounds, counts: new Array<number>(bounds.length + 1).fill(0), sum: 0 };
}

export function observe(histogram: Histogram, value: number, times = 1): void {
  const { bounds, counts } = histogram;
  let at = 0;
  while (at < bounds.length && value > (bounds[at] as number)) at++;
  (counts[at] as number) += times;
  histogram.sum += value * times;
}

/**
 * Below which that share of the observations lies, as if those of a bucket lay evenly in it: exact to the bucket. Above the
 * last bound it is that bound; NaN: nothing was observed.
 */
export function percentileOf({ bounds, counts }: Pick<Histogram, "bounds" | "counts">, share: number): number {
  const all = counts.reduce((sum, count) => sum + count, 0);
  let below = 0;
  for (const [at, count] of counts.entries()) {
    const bound = bounds[at];
    if (bound === undefined) break;
    if (count > 0 && below + count >= share * all) {
      const from = bounds[at - 1] ?? 0;
      return from + ((bound - from) * (share * all - below)) / count;
    }
    below += count;
  }
  return all === 0 ? Number.NaN : (bounds.at(-1) as number);
}
