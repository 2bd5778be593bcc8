/** Work that recurs every few milliseconds. */
import { expect, it } from "vitest";
import { startClocks } from "../../src/jobs/clocks.ts";
import { createLog } from "../../src/log.ts";

it("runs again after a run that failed, and not while one is under way", async () => {
  let failing = 0;
  let slow = 0;
  const stop = startClocks(
    [
      {
        name: "failing",
        everyMs: 5,
        run: async () => {
          failing++;
          throw new Error("of a test");
        },
      },
      {
        name: "slow",
        everyMs: 5,
        run: () => {
          slow++;
          return new Promise(() => {});
        },
      },
    ],
    createLog("silent"),
  );
  await expect.poll(() => failing).toBeGreaterThan(3);
  stop();
  expect(slow).toBe(1);
});
