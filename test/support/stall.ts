/**
 * Does `first`, then keeps this process, its servers and its clients alike, from doing anything for so long. The next that
 * comes are its timers: before what has arrived is read.
 */
export async function stall(ms: number, first?: () => void): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
  first?.();
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}
