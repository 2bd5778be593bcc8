/**
 * The registry of one process: reads the plain numbers when it is asked, and adds prom-client's own of Node.js. How the
 * processes of one service are added up stands in across-workers.ts, by the `aggregator` of each metric.
 */
import { AggregatorRegistry, collectDefaultMetrics, Registry } from "prom-client";
import type { LaneCounts } from "../database/lane.ts";
import type { OpenKind } from "../sessions/kind.ts";
import type { Counts, RouteCounts } from "./counts.ts";
import type { PopulationReader } from "./population.ts";
import { counter, gauge, histogram, type Row, type Samples, shed } from "./samples.ts";

export interface MetricSources {
  counts: Counts;
  kinds: readonly OpenKind[];
  lanes: readonly LaneCounts[];
  /** How many watch streams are open here. */
  watchers(): number;
  /** Of the one process that reads them for all; undefined in a worker. */
  population: PopulationReader | undefined;
  version: string;
}

/** Gives the samples of this process. */
export function createMetrics(sources: MetricSources): () => Promise<Samples> {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  return async () => [...mendAggregators(await registry.getMetricsAsJSON()), ...(await collect(sources))];
}

/** As Prometheus reads it. */
export function writeText(all: Samples[]): Promise<string> {
  return AggregatorRegistry.aggregate(all).metrics();
}

/** Of several event loops the worst counts; the mean of a stuck one and three idle ones would look fine. */
function mendAggregators(samples: Samples): Samples {
  for (const metric of samples) {
    if (metric.name.startsWith("nodejs_eventloop_lag")) metric.aggregator = "max";
    if (metric.name === "process_start_time_seconds") metric.aggregator = "min";
  }
  return samples;
}

async function collect(sources: MetricSources): Promise<Samples> {
  const { counts } = sources;
  const routes = [...counts.routes.values()];
  return [
    ...(await describePopulation(sources.population)),
    ...sources.kinds.flatMap((kind) => kind.samples?.() ?? []),
    ...describeRequests(routes),
    counter(
      "keybeat_signing_requests_total",
      "Requests with a nonce, by the id of the key that signs their answers (none: the client trusts no key of ours, or we have none)",
      [...counts.signing].map(([key, count]) => [{ key }, count]),
    ),
    ...describeDatabase(sources.lanes),
    shed(sources.lanes.map(({ lane, calls }) => [{ place: lane }, calls.turned_away])),
    gauge("keybeat_watchers", "Open watch streams", "sum", [[{}, sources.watchers()]]),
    ...describeCleanup(counts),
    gauge("keybeat_processes", "Processes that were added up", "sum", [[{}, 1]]),
    gauge("keybeat_build_info", "1, with the version", "max", [
      [{ version: sources.version, node: process.versions.node }, 1],
    ]),
  ];
}

async function describePopulation(reader: PopulationReader | undefined): Promise<Samples> {
  if (reader === undefined) return [];
  const { databaseUp, samples } = await reader.read();
  return [
    gauge("keybeat_database_up", "Whether the database answered this scrape", "min", [[{}, databaseUp ? 1 : 0]]),
    ...samples,
  ];
}

function describeRequests(routes: RouteCounts[]): Samples {
  return [
    counter(
      "keybeat_http_requests_total",
      "Requests answered, by route and code",
      routes.flatMap(({ method, route, codes }) =>
        Object.entries(codes).map(([code, count]) => [{ method, route, code }, count] as Row),
      ),
    ),
    histogram(
      "keybeat_http_request_duration_seconds",
      "From the request's headers to the answer (of a stream: to its beginning)",
      routes.map(({ method, route, seconds }) => [{ method, route }, seconds]),
    ),
  ];
}

function describeDatabase(lanes: readonly LaneCounts[]): Samples {
  return [
    counter(
      "keybeat_database_calls_total",
      "Calls to the database, by lane and outcome",
      lanes.flatMap(({ lane, calls }) =>
        Object.entries(calls).map(([outcome, count]) => [{ lane, outcome }, count] as Row),
      ),
    ),
    histogram(
      "keybeat_database_call_duration_seconds",
      "Calls to the database, waiting for a connection included",
      lanes.map(({ lane, seconds }) => [{ lane }, seconds]),
    ),
  ];
}

function describeCleanup({ cleanup }: Counts): Samples {
  const age = cleanup.finishedAtMs === undefined ? undefined : (performance.now() - cleanup.finishedAtMs) / 1000;
  return [
    counter("keybeat_cleanup_runs_total", "Cleanups of this service, by outcome", [
      [{ outcome: "finished" }, cleanup.finished],
      [{ outcome: "failed" }, cleanup.failed],
    ]),
    counter("keybeat_cleanup_expired_total", "Silent sessions that the cleanup ended", [[{}, cleanup.expired]]),
    gauge(
      "keybeat_cleanup_age_seconds",
      "Since the last cleanup that this service finished; none if it never did",
      "min",
      age === undefined ? [] : [[{}, age]],
    ),
  ];
}
