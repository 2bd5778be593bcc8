/** Samples of metrics as prom-client's registries give and take them, made of plain numbers. */
import type { Aggregator, MetricObject } from "prom-client";
import type { Histogram } from "./histogram.ts";

export type Samples = MetricObject[];

type Labels = Record<string, string>;
export type Row<T = number> = [labels: Labels, value: T];

export function counter(name: string, help: string, rows: Row[]): MetricObject {
  return sample(name, help, "counter", "sum", rows);
}

/** Collected from several modules, each describing its own. */
export function shed(rows: Row[]): MetricObject {
  return counter("keybeat_shed_total", "Turned away at once or after too long a wait, by the place", rows);
}

export function gauge(name: string, help: string, aggregator: Aggregator, rows: Row[]): MetricObject {
  return sample(name, help, "gauge", aggregator, rows);
}

export function histogram(name: string, help: string, rows: Row<Histogram>[]): MetricObject {
  const values = rows.flatMap(([labels, { bounds, counts, sum }]) => {
    let below = 0;
    const buckets = counts.map((count, at) => {
      below += count;
      return { labels: { le: String(bounds[at] ?? "+Inf"), ...labels }, value: below, metricName: `${name}_bucket` };
    });
    return [
      ...buckets,
      { labels, value: sum, metricName: `${name}_sum` },
      { labels, value: below, metricName: `${name}_count` },
    ];
  });
  return { name, help, type: "histogram", aggregator: "sum", values } as unknown as MetricObject;
}

function sample(name: string, help: string, type: string, aggregator: Aggregator, rows: Row[]): MetricObject {
  const values = rows.map(([labels, value]) => ({ labels, value }));
  return { name, help, type, aggregator, values } as unknown as MetricObject;
}
