/** Whether something grows: the line of least squares through samples, and how sure its slope is. */
export interface Sample {
  /** Seconds, or whatever the growth is counted against. */
  at: number;
  value: number;
}

export interface Slope {
  perUnit: number;
  /** One standard error of perUnit; Infinity with fewer than three samples. */
  error: number;
}

export function fitSlope(samples: readonly Sample[]): Slope {
  const n = samples.length;
  if (n < 3) return { perUnit: 0, error: Number.POSITIVE_INFINITY };
  const meanAt = samples.reduce((sum, { at }) => sum + at, 0) / n;
  const meanValue = samples.reduce((sum, { value }) => sum + value, 0) / n;
  const spread = samples.reduce((sum, { at }) => sum + (at - meanAt) ** 2, 0);
  if (spread === 0) return { perUnit: 0, error: Number.POSITIVE_INFINITY };
  const perUnit = samples.reduce((sum, { at, value }) => sum + (at - meanAt) * (value - meanValue), 0) / spread;
  const residue = samples.reduce((sum, { at, value }) => sum + (value - meanValue - perUnit * (at - meanAt)) ** 2, 0);
  return { perUnit, error: Math.sqrt(residue / (n - 2) / spread) };
}

/**
 * The least growth that the samples leave room for, two standard errors below the line: what is above a bound even so
 * is no noise. Zero where nothing surely grows.
 */
export function surelyGrows(samples: readonly Sample[]): number {
  const { perUnit, error } = fitSlope(samples);
  return Math.max(0, perUnit - 2 * error);
}

/** Figures start high while caches fill and code is compiled; what comes after that is judged. */
export function afterWarmUp<T>(samples: readonly T[], share: number): T[] {
  return samples.slice(Math.floor(samples.length * share));
}
