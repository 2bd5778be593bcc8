import { setTimeout as sleep } from "node:timers/promises";

/** Gives up before the test's own time is over, so that the reason is seen. */
export async function waitUntil(condition: () => boolean | Promise<boolean>, atMostMs = 40_000): Promise<void> {
  const giveUpAt = performance.now() + atMostMs;
  while (!(await condition())) {
    if (performance.now() > giveUpAt) throw new Error(`still not so: ${condition}`);
    await sleep(20);
  }
}
