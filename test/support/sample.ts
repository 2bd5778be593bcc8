/** Every second, third and so on of them, others each day: what takes too long to be tried at once is tried in turn. */
export function sampleOfToday<T>(all: readonly T[], every: number): T[] {
  const first = new Date().getUTCDate() % every;
  return all.filter((_, at) => at % every === first);
}
