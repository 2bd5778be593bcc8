/** How a kind's sessions are tidied: piece by piece, with a rest as long as each, and no longer than allowed. */
import { expect, it } from "vitest";
import { tidy } from "../../src/sessions/tidy.ts";

/** A piece of work that keeps the thread busy for so long, and notes when it began and ended. */
function workOf(pieces: number, ms: number) {
  const spans: Array<[began: number, ended: number]> = [];
  const work = async () => {
    const began = performance.now();
    while (performance.now() - began < ms);
    spans.push([began, performance.now()]);
    return spans.length < pieces ? 500 : 0;
  };
  return { spans, work };
}
const redate = async () => false;
const nothing = async () => ({ looked_at: 0, ended: 0 });

it("does piece after piece until one finds less, and rests between two at least as long as the first took", async () => {
  const [ending, forgetting] = [workOf(4, 20), workOf(3, 20)];
  const settle = async () => {
    const found = await ending.work();
    return { looked_at: found, ended: found };
  };
  expect(await tidy({ redate, settle, forget: forgetting.work }, Number.POSITIVE_INFINITY)).toEqual({
    ended: 1_500,
    forgotten: 1_000,
  });
  for (const { spans } of [ending, forgetting]) {
    for (const [n, [began]] of spans.slice(1).entries()) {
      const [before, ended] = spans[n] as [number, number];
      expect(began - ended).toBeGreaterThanOrEqual(ended - before - 2); // timers count whole milliseconds
    }
  }
});

it("does one piece of each though its time is over, and begins none that it could not rest before", async () => {
  const late = workOf(9, 1);
  expect(await tidy({ redate, settle: nothing, forget: late.work }, performance.now() - 1)).toEqual({
    ended: 0,
    forgotten: 500,
  });
  const long = workOf(9, 50);
  await tidy({ redate, settle: nothing, forget: long.work }, performance.now() + 60);
  expect(long.spans).toHaveLength(1);
});
