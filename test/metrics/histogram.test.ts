import { describe, expect, it } from "vitest";
import { createHistogram, observe, percentileOf } from "../../src/metrics/histogram.ts";

const BOUNDS = [1, 2, 4, 8];

function histogramOf(...values: number[]) {
  const histogram = createHistogram(BOUNDS);
  for (const value of values) observe(histogram, value);
  return histogram;
}

describe("a percentile of a histogram", () => {
  it("lies in the bucket that has it, as far as its share of that bucket", () => {
    expect(percentileOf(histogramOf(0.5, 0.5, 3, 3), 0.5)).toBe(1);
    expect(percentileOf(histogramOf(0.5, 0.5, 3, 3), 0.75)).toBe(3);
    expect(percentileOf(histogramOf(0.5, 0.5, 3, 3), 1)).toBe(4);
    expect(percentileOf(histogramOf(3), 0.5)).toBe(3);
  });

  it("is the last bound where it is above all of them, and none of nothing", () => {
    expect(percentileOf(histogramOf(1, 9, 9, 9), 0.95)).toBe(8);
    expect(percentileOf(histogramOf(), 0.95)).toBeNaN();
  });
});
