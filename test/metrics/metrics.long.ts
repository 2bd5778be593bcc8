/** GET /metrics: one scrape, from whatever worker, shows what the whole service did. */
import { type ChildProcess, execFileSync } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ADMIN_TOKEN } from "../support/app.ts";
import { useDatabase } from "../support/database.ts";
import { parseSamples, readValue, type Sample, scrape } from "../support/metrics.ts";
import { type RunningServer, startServer } from "../support/process.ts";
import { type DatabaseProxy, startProxy } from "../support/proxy.ts";
import { findSecrets, newAccessKey, newSessionId } from "../support/secrets.ts";
import { watch } from "../support/watch.ts";

const db = useDatabase();
const servers: RunningServer[] = [];
const proxies: DatabaseProxy[] = [];

const serve = async (env: Record<string, string> = {}) => {
  const server = await startServer({ DATABASE_URL: db.url, CLEANUP_CRON: "", ADMIN_TOKEN, ...env });
  servers.push(server);
  return server;
};

beforeEach(async () => {
  await db.sql`DELETE FROM active_sessions`;
});

afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.stop()));
  await Promise.all(proxies.splice(0).map((proxy) => proxy.close()));
});

/** A new connection each time, so that the kernel spreads them over the workers. */
const post = (server: RunningServer, path: string, body: unknown) =>
  server.post(`/api/session/${path}`, body, { Connection: "close" });

const start = (server: RunningServer, access_key: string, more: object = {}) =>
  post(server, "start", { access_key, ...more });

describe.each(["1", "2"])("with WORKERS=%s", (WORKERS) => {
  it("starts, takeovers, refusals and heartbeats are counted by what became of them", async () => {
    const server = await serve({ WORKERS });
    const { key } = await db.makeKey({ label: "Secret Customer Ltd" });
    const [first, second] = [newSessionId(), newSessionId()];
    await start(server, key, { session_id: first });
    await start(server, key, { session_id: first });
    await start(server, key, { session_id: second, device: { name: "Office PC" } });
    await start(server, key, { on_conflict: "refuse" });
    await start(server, newAccessKey());
    await start(server, newAccessKey());
    for (const session_id of [first, second, second, second, newSessionId()]) {
      await post(server, "heartbeat", { session_id });
    }
    await post(server, "heartbeat", {});
    const one = await scrape(server.url);

    const starts = (found: string) => readValue(one, "keybeat_session_starts_total", { found });
    expect([starts("new"), starts("takeover"), starts("resumed")]).toEqual([1, 1, 1]);
    const refusals = (code: string) => readValue(one, "keybeat_start_refusals_total", { code });
    expect([refusals("invalid_key"), refusals("key_in_use")]).toEqual([2, 1]);
    const beats = (outcome: string) => readValue(one, "keybeat_heartbeats_total", { outcome });
    expect([beats("live"), beats("session_replaced"), beats("session_not_found"), beats("invalid_request")]).toEqual([
      3, 1, 1, 1,
    ]);
    expect(readValue(one, "keybeat_heartbeat_batch_size_sum")).toBe(5);
    const route = { method: "POST", route: "/api/session/start" };
    expect(readValue(one, "keybeat_http_request_duration_seconds_count", route)).toBe(6);
    expect(readValue(one, "keybeat_http_requests_total", { ...route, code: "ok" })).toBe(3);
    expect(readValue(one, "keybeat_database_calls_total", { lane: "requests", outcome: "ok" })).toBeGreaterThanOrEqual(
      6,
    );
    expect(readValue(one, "keybeat_live_sessions")).toBe(1);
    expect(readValue(one, "keybeat_clock_steps_total")).toBe(0);
    expect(readValue(one, "keybeat_clock_last_step_seconds")).toBe(0);
    expect(readValue(one, "keybeat_database_up")).toBe(1);
    expect(readValue(one, "keybeat_processes")).toBe(WORKERS === "1" ? 1 : 3);
    expect(readValue(one, "nodejs_eventloop_lag_p99_seconds")).toBeGreaterThan(0);
    expect(one.find(({ name }) => name === "keybeat_build_info")?.labels.version).toMatch(/^\d+\.\d+\.\d+/);
  });

  it("the cleanup's work and age are told, and the sessions that wait for it", async () => {
    const server = await serve({ WORKERS });
    const { key, id } = await db.makeKey();
    await start(server, key);
    await db.age(id, 1000);
    const before = await scrape(server.url);
    expect(readValue(before, "keybeat_silent_sessions")).toBe(1);
    expect(readValue(before, "keybeat_silent_overdue_seconds")).toBeGreaterThan(800);
    expect(readValue(before, "keybeat_cleanup_age_seconds")).toBeUndefined();

    const headers = { Authorization: `Bearer ${ADMIN_TOKEN}` };
    await server.post("/api/admin/cleanup-sessions", {}, headers);
    const after = await scrape(server.url);
    expect(readValue(after, "keybeat_cleanup_runs_total", { outcome: "finished" })).toBe(1);
    expect(readValue(after, "keybeat_cleanup_expired_total")).toBeGreaterThanOrEqual(1);
    expect(readValue(after, "keybeat_cleanup_age_seconds")).toBeLessThan(30);
  });

  it("watch streams are counted while they are open", async () => {
    const server = await serve({ WORKERS });
    const { key } = await db.makeKey();
    const { body } = await start(server, key);
    const device = await watch(server.url, body.session_id);
    expect(readValue(await scrape(server.url), "keybeat_watchers")).toBe(1);
    device.stop();
    await expect.poll(async () => readValue(await scrape(server.url), "keybeat_watchers")).toBe(0);
  });

  it.each(["refuse", "blackhole"] as const)(
    "a scrape answers in time while the database is away (%s)",
    async (mode) => {
      const proxy = await startProxy(db.url);
      proxies.push(proxy);
      const server = await serve({ WORKERS, DATABASE_URL: proxy.url });
      await scrape(server.url);
      await proxy.set(mode);
      await sleep(5_100); // until the number that was read before is no longer fresh
      const began = performance.now();
      const without = await scrape(server.url);
      expect(performance.now() - began).toBeLessThan(3_000);
      expect(readValue(without, "keybeat_database_up")).toBe(0);
      await proxy.set("pass");
      await expect.poll(async () => readValue(await scrape(server.url), "keybeat_database_up")).toBe(1);
    },
  );

  it("no caller can make a new series, and nothing secret is in one", async () => {
    const server = await serve({ WORKERS });
    const { key } = await db.makeKey({ label: "Secret Customer Ltd" });
    const ask = async (n: number) => {
      const { body } = await start(server, key, { device: { name: `Device ${n}` } });
      await server.get(`/nowhere/${n}`);
      await server.get(`/${body.session_id}`);
      await post(server, "heartbeat", { session_id: body.session_id });
      await fetch(`${server.url}/api/session/start?n=${n}`, { method: n % 2 ? "PUT" : "DELETE" });
      await server.get(`/api/admin/x${n}`);
    };
    const series = async () => {
      const response = await fetch(`${server.url}/metrics`);
      expect(response.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
      const text = await response.text();
      expect(findSecrets(text)).toEqual([]);
      expect(text).not.toMatch(/Secret Customer|Device \d|nowhere/);
      expect(text).not.toContain(key.slice(0, 8));
      const ours = parseSamples(text).filter(({ name }) => name.startsWith("keybeat_"));
      return ours.map(nameSeries).sort();
    };
    for (const n of [1, 2, 3, 4]) await ask(n);
    await series(); // from now on its own route is among them
    const before = await series();
    for (const n of [5, 6, 7, 8, 9, 10]) await ask(n);
    expect(await series()).toEqual(before);
  });
});

it("a counter never falls, also when a worker is killed, and what it had counted is kept", async () => {
  const server = await serve({ WORKERS: "2" });
  const { key } = await db.makeKey();
  const { body } = await start(server, key);
  const beat = async () => {
    for (let n = 0; n < 20; n++) await post(server, "heartbeat", { session_id: body.session_id });
  };
  await beat();
  let before = await scrape(server.url);
  let deaths = 0;
  for (const pid of workersOf(server.child)) {
    process.kill(pid, "SIGKILL");
    // A connection that is handed to a dead worker before the primary knows is lost.
    await expect.poll(async () => server.output().split("a worker died").length).toBe(++deaths + 1);
    const after = await scrape(server.url);
    expectRisen(before, after);
    // Before that the last worker would be killed that listens.
    await expect.poll(() => server.output().split("the other worker listens").length).toBe(deaths + 1);
    await beat();
    const later = await scrape(server.url);
    expectRisen(after, later);
    before = later;
  }
  expect(readValue(before, "keybeat_heartbeats_total", { outcome: "live" })).toBe(60);
});

it("a worker that hangs holds no scrape up, and its last numbers stand", async () => {
  const server = await serve({ WORKERS: "2" });
  const before = await scrape(server.url);
  const [hanging] = workersOf(server.child) as [number, number];
  process.kill(hanging, "SIGSTOP");
  try {
    // A caller that reaches the hanging worker waits for it; some of many connections reach the other.
    const read = async () => {
      const response = await fetch(`${server.url}/metrics`, { signal: AbortSignal.timeout(4_000) });
      return response.text();
    };
    const answers = await Promise.allSettled(Array.from({ length: 12 }, read));
    const texts = answers.flatMap((answer) => (answer.status === "fulfilled" ? [answer.value] : []));
    expect(texts.length).toBeGreaterThan(0);
    for (const text of texts) {
      expect(readValue(parseSamples(text), "keybeat_processes")).toBe(3);
      expectRisen(before, parseSamples(text));
    }
  } finally {
    process.kill(hanging, "SIGCONT");
  }
});

function expectRisen(before: Sample[], after: Sample[]) {
  for (const { name, labels, value } of before) {
    if (!/^(keybeat_.*_(total|count|bucket)|process_cpu_seconds_total)$/.test(name)) continue;
    const now = readValue(after, name, labels);
    expect(now, nameSeries({ name, labels })).toBeGreaterThanOrEqual(value);
  }
}

const nameSeries = ({ name, labels }: Pick<Sample, "name" | "labels">) => `${name}${JSON.stringify(labels)}`;

function workersOf(server: ChildProcess): number[] {
  const table = execFileSync("ps", ["-A", "-o", "pid=,ppid=,stat="], { encoding: "utf8" }).trim().split("\n");
  return table
    .map((line) => line.trim().split(/\s+/) as [string, string, string])
    .filter(([, parent, state]) => Number(parent) === server.pid && !state.startsWith("Z"))
    .map(([pid]) => Number(pid));
}
