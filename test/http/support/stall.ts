/** Keeps this process, its servers and its clients alike, from doing anything for so long. */
export function stall(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}
