/** Proves the checker of the faults: it passes every correct history, and finds each planted violation. */
import { describe, expect, it } from "vitest";
import { checkHistory } from "./checker/check.ts";
import { PLANTS } from "./checker-proof/plants.ts";
import { makeHistory } from "./checker-proof/sample.ts";

const SEEDS = 50;

describe("a correct history", () => {
  it.each(Array.from({ length: SEEDS }, (_, seed) => seed))("passes (%i)", (seed) => {
    expect(checkHistory(makeHistory(seed))).toEqual([]);
  });
});

describe("a planted violation is found", () => {
  it.each(PLANTS)("$rule: $name", ({ rule, plant }) => {
    const history = makeHistory(1);
    plant(history);
    expect(checkHistory(history).map((violation) => violation.rule)).toContain(rule);
  });
});
