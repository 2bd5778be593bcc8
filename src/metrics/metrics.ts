/**
 * The registry of one process: reads the plain numbers when it is asked, and adds prom-client's own of Node.js. How the
 * processes of one service are added up stands in across-workers.ts, by the `aggregator` of each metric.
 */
import { type Aggregator, AggregatorRegistry, collectDefaultMetrics, type MetricObject, Registry } from "prom-client";
import type { LaneCounts } from "../database/lane.ts";
import { STATUS } from "../errors.ts";
import type { AnswerCode, Counts, RouteCounts } from "./counts.ts";
import type { Histogram } from "./histogram.ts";
import type { PopulationReader, RoomNumbers } from "./population.ts";

const HEARTBEAT = "/api/session/heartbeat";
const START = "/api/session/start";

export interface MetricSources {
  counts: Counts;
  lanes: readonly LaneCounts[];
  /** How many watch streams are open here. */
  watchers(): number;
  /** Of the one process that reads them for all; undefined in a worker. */
  population: PopulationReader | undefined;
  version: string;
}

/** As prom-client's registries give and take it. */
export type Samples = MetricObject[];

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
    ...describeSessions(counts, routes),
    ...describeRequests(routes),
    ...describeDatabase(sources.lanes),
    counter("keybeat_shed_total", "Turned away at once or after too long a wait, by the place", [
      ...sources.lanes.map(({ lane, calls }) => [{ place: lane }, calls.turned_away] as Row),
      [{ place: "heartbeat_queue" }, counts.batches.shed + counts.batches.late],
    ]),
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
  const { databaseUp, population } = await reader.read();
  const rows = (value: number | undefined): Row[] => (value === undefined ? [] : [[{}, value]]);
  return [
    gauge("keybeat_database_up", "Whether the database answered this scrape", "min", rows(databaseUp ? 1 : 0)),
    gauge("keybeat_live_sessions", "Live sessions of the installation", "max", rows(population?.live)),
    gauge("keybeat_silent_sessions", "Expired, waiting for the cleanup", "max", rows(population?.silent)),
    gauge(
      "keybeat_silent_overdue_seconds",
      "How long the first expired session has waited for the cleanup",
      "max",
      rows(population?.overdueSeconds),
    ),
    ...(population === undefined ? [] : [...describeClock(population.clockSteps), ...describeRoom(population.room)]),
  ];
}

function describeClock(steps: { count: number; lastSeconds: number }): Samples {
  return [
    counter("keybeat_clock_steps_total", "Times that the database's clock was seen to jump", [[{}, steps.count]]),
    gauge("keybeat_clock_last_step_seconds", "How far it jumped the last time; back is below 0", "max", [
      [{}, steps.lastSeconds],
    ]),
  ];
}

function describeRoom(room: RoomNumbers): Samples {
  const now = (name: string, help: string, value: number) =>
    gauge(`keybeat_waiting_room_${name}`, help, "max", [[{}, value]]);
  return [
    now("active", "Users with a seat", room.active),
    now("seats", "Seats", room.seats),
    now("waiting", "Users in line", room.waiting),
    now("waiting_max", "So many may wait", room.waitingMax),
    now("requests", "Requests under way with a permit", room.requests),
    now("requests_max", "So many may be under way", room.requestsMax),
    now("paused", "1 while nobody is let in", room.paused ? 1 : 0),
    counter(
      "keybeat_waiting_room_moves_total",
      "What became of users: in line, let in, given up, passed over",
      Object.entries(room.moves).map(([move, count]) => [{ move }, count]),
    ),
    histogram("keybeat_waiting_room_wait_seconds", "In line, of those who were let in", [[{}, room.waitSeconds]]),
  ];
}

function describeSessions({ starts, pingPongs, batches }: Counts, routes: RouteCounts[]): Samples {
  const codesOf = (path: string) =>
    routes
      .filter(({ route }) => route === path)
      .flatMap(({ codes }) => Object.entries(codes) as [AnswerCode, number][]);
  const refused = ([code]: [AnswerCode, number]) => code !== "ok" && STATUS[code] < 500;
  return [
    counter(
      "keybeat_session_starts_total",
      "Sessions started, by what they found: a free key, another device, or themselves",
      Object.entries(starts).map(([found, count]) => [{ found }, count]),
    ),
    counter(
      "keybeat_takeover_ping_pongs_total",
      "Starts told to wait, as two devices took a key from each other again and again",
      [[{}, pingPongs]],
    ),
    counter(
      "keybeat_start_refusals_total",
      "Starts refused, by the code of the answer",
      codesOf(START)
        .filter(refused)
        .map(([code, count]) => [{ code }, count]),
    ),
    counter(
      "keybeat_heartbeats_total",
      "Heartbeats answered: live, or the code of the answer",
      codesOf(HEARTBEAT).map(([code, count]) => [{ outcome: code === "ok" ? "live" : code }, count]),
    ),
    histogram("keybeat_heartbeat_batch_size", "Heartbeats that travel to the database together", [[{}, batches.sizes]]),
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

type Labels = Record<string, string>;
type Row<T = number> = [labels: Labels, value: T];

function counter(name: string, help: string, rows: Row[]): MetricObject {
  return sample(name, help, "counter", "sum", rows);
}

function gauge(name: string, help: string, aggregator: Aggregator, rows: Row[]): MetricObject {
  return sample(name, help, "gauge", aggregator, rows);
}

function histogram(name: string, help: string, rows: Row<Histogram>[]): MetricObject {
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
