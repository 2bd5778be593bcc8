/** Nodes a second, of late. */
const WINDOW_MS = 60_000;
const TOLD_AFTER_MS = 2000;

export interface Sample {
  atMs: number;
  processed: number;
}

/** Says the pace, given what is processed at each look. */
export function createPace(): (processed: number) => number | undefined {
  let samples: Sample[] = [];
  return (processed) => {
    samples = addSample(samples, { atMs: performance.now(), processed });
    return paceOf(samples);
  };
}

/** The last minute's, and one from before it: after an outage there may be no other. */
export function addSample(samples: Sample[], sample: Sample): Sample[] {
  const begin = sample.atMs - WINDOW_MS;
  const before = samples.findLast(({ atMs }) => atMs <= begin);
  return [...(before ? [before] : []), ...samples.filter(({ atMs }) => atMs > begin), sample];
}

/** Undefined: it is too early to say. */
export function paceOf(samples: Sample[]): number | undefined {
  const [first] = samples;
  const last = samples.at(-1);
  if (!first || !last || last.atMs - first.atMs < TOLD_AFTER_MS) return undefined;
  return ((last.processed - first.processed) / (last.atMs - first.atMs)) * 1000;
}
