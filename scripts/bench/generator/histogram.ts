/**
 * Counts latencies in whole microseconds, in buckets that widen with the value: exact up to 128 µs, within 1/64 beyond.
 * Recording is two additions, so it does not distort the measurement.
 */
const EXACT_MAX = 128;
const SUB_BITS = 6;
const BUCKETS = EXACT_MAX + (31 - 7) * 2 ** SUB_BITS;

export interface Histogram {
  counts: Uint32Array;
  count: number;
  maxMicros: number;
}

/** The form sent between processes: bucket, count, bucket, count, … */
export interface PackedHistogram {
  buckets: number[];
  count: number;
  maxMicros: number;
}

export interface Latency {
  p50_ms: number;
  p95_ms: number;
  p99_ms: number;
  max_ms: number;
}

export function createHistogram(): Histogram {
  return { counts: new Uint32Array(BUCKETS), count: 0, maxMicros: 0 };
}

export function record(histogram: Histogram, micros: number): void {
  const value = micros < 0 ? 0 : micros > 2 ** 31 - 1 ? 2 ** 31 - 1 : micros | 0;
  const bucket = bucketOf(value);
  histogram.counts[bucket] = (histogram.counts[bucket] as number) + 1;
  histogram.count++;
  if (value > histogram.maxMicros) histogram.maxMicros = value;
}

export function packHistogram(histogram: Histogram): PackedHistogram {
  const buckets: number[] = [];
  for (const [bucket, count] of histogram.counts.entries()) if (count > 0) buckets.push(bucket, count);
  return { buckets, count: histogram.count, maxMicros: histogram.maxMicros };
}

export function addPacked(histogram: Histogram, packed: PackedHistogram): void {
  for (let at = 0; at < packed.buckets.length; at += 2) {
    const bucket = packed.buckets[at] as number;
    histogram.counts[bucket] = (histogram.counts[bucket] as number) + (packed.buckets[at + 1] as number);
  }
  histogram.count += packed.count;
  histogram.maxMicros = Math.max(histogram.maxMicros, packed.maxMicros);
}

export function addUp(all: PackedHistogram[]): Histogram {
  const sum = createHistogram();
  for (const packed of all) addPacked(sum, packed);
  return sum;
}

/** The value that this share of all latencies does not exceed, in microseconds; 0 if nothing was recorded. */
export function percentile(histogram: Histogram, share: number): number {
  const wanted = Math.ceil(histogram.count * share);
  let seen = 0;
  for (const [bucket, count] of histogram.counts.entries()) {
    seen += count;
    if (seen >= wanted && count > 0) return Math.min(middleOf(bucket), histogram.maxMicros);
  }
  return 0;
}

export function latencyOf(histogram: Histogram): Latency {
  const ms = (micros: number) => Math.round(micros / 10) / 100;
  return {
    p50_ms: ms(percentile(histogram, 0.5)),
    p95_ms: ms(percentile(histogram, 0.95)),
    p99_ms: ms(percentile(histogram, 0.99)),
    max_ms: ms(histogram.maxMicros),
  };
}

function bucketOf(value: number): number {
  if (value < EXACT_MAX) return value;
  const exponent = 31 - Math.clz32(value);
  return EXACT_MAX + ((exponent - 7) << SUB_BITS) + ((value >> (exponent - SUB_BITS)) & (2 ** SUB_BITS - 1));
}

function middleOf(bucket: number): number {
  if (bucket < EXACT_MAX) return bucket;
  const exponent = ((bucket - EXACT_MAX) >> SUB_BITS) + 7;
  const width = 2 ** (exponent - SUB_BITS);
  return 2 ** exponent + ((bucket - EXACT_MAX) & (2 ** SUB_BITS - 1)) * width + Math.floor(width / 2);
}
