const waiting = new WeakMap<AbortSignal, Set<() => void>>();

/**
 * Calls `run` when the signal, which has not fired yet, fires; returns what takes that back. One listener a signal, however
 * many wait for it: Node warns of a leak at more than ten.
 */
export function onAbort(signal: AbortSignal, run: () => void): () => void {
  const known = waiting.get(signal);
  const all = known ?? new Set();
  // A function of its own, as the same one may wait twice.
  const one = () => run();
  all.add(one);
  if (!known) {
    waiting.set(signal, all);
    signal.addEventListener("abort", () => all.forEach((each) => void each()));
  }
  return () => all.delete(one);
}
