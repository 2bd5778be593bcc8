/** The alert rules and the dashboard ask for what the service exposes, and for nothing else; each alert is tried. */
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { STATUS } from "../../src/errors.ts";
import { createSeed } from "../../src/trust/signing-keys.ts";
import { ADMIN_TOKEN } from "../support/app.ts";
import { useDatabase } from "../support/database.ts";
import { type Sample, scrape } from "../support/metrics.ts";
import { JWT_SECRET, playerToken } from "../support/player-token.ts";
import { type RunningServer, startServer } from "../support/process.ts";
import { selectorsOf } from "../support/promql.ts";
import { newAccessKey } from "../support/secrets.ts";

const RULES = "scripts/monitor/prometheus";
const rules = readFileSync(`${RULES}/alerts.yml`, "utf8");
const tried = readFileSync(`${RULES}/alerts.test.yml`, "utf8");
const dashboard = JSON.parse(readFileSync("scripts/monitor/grafana/keybeat.json", "utf8"));

const alerts = [...rules.matchAll(/^ {6}- alert: (\w+)\n {8}expr: (?:>-\n((?: {10}.*\n)+)|(.*)\n)/gm)].map(
  ([, name = "", block, line]) => ({ name, expression: (block ?? line ?? "").trim() }),
);
// biome-ignore lint/suspicious/noExplicitAny: Grafana's own format
const panels = (dashboard.panels as any[]).flatMap(({ title, targets }) =>
  // biome-ignore lint/suspicious/noExplicitAny: Grafana's own format
  (targets ?? []).map((target: any) => ({ title, expression: target.expr as string, legend: target.legendFormat })),
);

const db = useDatabase();
let server: RunningServer;
let samples: Sample[];

/** A service that has done a bit of everything. */
beforeAll(async () => {
  server = await startServer({
    DATABASE_URL: db.url,
    CLEANUP_CRON: "",
    ADMIN_TOKEN,
    JWT_SECRET,
    SIGNING_KEY: createSeed(),
  });
  const { key } = await db.makeKey();
  await server.post("/api/session/start", { access_key: newAccessKey() });
  const { body } = await server.post("/api/session/start", { access_key: key });
  await server.post("/api/session/heartbeat", { session_id: body.session_id });
  const run = await server.post("/api/v1/batch/sessions", { canvas_path: "a.canvas", node_count: 1 });
  const node = `${server.url}/api/v1/batch/sessions/${run.body.session_id}/nodes/one`;
  await fetch(node, { method: "PUT", headers: { "Content-Type": "application/json" }, body: '{"status":"success"}' });
  const player = "6f1c2b9e-8a54-4f0e-9b0d-3c2a7d1e5f60";
  await server.post(
    "/api/v1/game/sessions",
    { type: "player", player_id: player },
    { Authorization: `Bearer ${playerToken(player)}` },
  );
  await server.post("/api/admin/cleanup-sessions", {}, { Authorization: `Bearer ${ADMIN_TOKEN}` });
  await server.get("/nowhere");
  await scrape(server.url);
  await vi.waitFor(
    async () => {
      samples = await scrape(server.url);
      expect(samples.map(({ name }) => name)).toContain("nodejs_gc_duration_seconds_sum");
    },
    { timeout: 30_000 },
  );
});
afterAll(() => server.stop());

it("every rule was read here", () => {
  expect(alerts).toHaveLength(rules.match(/^ *- alert:/gm)?.length ?? 0);
  expect(alerts.length).toBeGreaterThan(10);
});

it.each(alerts)("$name is tried both ways, and asks only for what there is", ({ name, expression }) => {
  expect(tried).toMatch(new RegExp(`alertname: ${name}\\n +exp_alerts:\\n +- exp_labels`));
  expect(tried).toMatch(new RegExp(`alertname: ${name} }\n`));
  expectExposed(expression);
});

it.each(panels)("the dashboard's «$title» asks only for what there is: $expression", ({ expression, legend }) => {
  expectExposed(expression.replaceAll("$__rate_interval", "5m"));
  for (const [, label] of String(legend).matchAll(/\{\{(\w+)\}\}/g)) {
    expect(selectorsOf(expression)[0]?.groupedBy).toContain(label);
  }
});

it("the dashboard shows every metric of ours", () => {
  const shown = new Set(panels.flatMap(({ expression }) => selectorsOf(expression).map(({ name }) => familyOf(name))));
  const ours = new Set(samples.map(({ name }) => familyOf(name)).filter((name) => name.startsWith("keybeat_")));
  expect([...ours].filter((name) => !shown.has(name))).toEqual([]);
});

it("the dashboard's variable finds the instances", () => {
  const [, variable] = dashboard.templating.list;
  const [, metric] = /^label_values\((\w+), instance\)$/.exec(variable.query.query) ?? [];
  expect(samples.map(({ name }) => name)).toContain(metric);
});

it("a query for what is not exposed is found", () => {
  expect(() => expectExposed("sum(rate(keybeat_no_such_total[5m]))")).toThrow();
  expect(() => expectExposed('sum(keybeat_shed_total{site="requests"})')).toThrow();
  expect(() => expectExposed('sum(keybeat_shed_total{place="nowhere"})')).toThrow();
  expect(() => expectExposed("sum by (colour) (keybeat_shed_total)")).toThrow();
});

/** Prometheus itself adds `up`, and to every series job and instance. */
function expectExposed(expression: string) {
  for (const { name, matchers, groupedBy } of selectorsOf(expression)) {
    if (name === "up") continue;
    const series = samples.filter((sample) => sample.name === name);
    expect(series, `${name} in ${expression}`).not.toEqual([]);
    const labels = new Set([...series.flatMap((one) => Object.keys(one.labels)), "job", "instance"]);
    for (const label of [...groupedBy, ...matchers.map((matcher) => matcher.label)]) {
      expect([...labels], `${label} of ${name}`).toContain(label);
    }
    for (const { label, operator, value } of matchers.filter((one) => !["job", "instance"].includes(one.label))) {
      const known = [...series.map((one) => one.labels[label] ?? ""), ...Object.keys(STATUS)];
      const matches = (text: string) =>
        operator.endsWith("~") ? new RegExp(`^(?:${value})$`).test(text) : text === value;
      expect(known.some(matches), `${label}="${value}" of ${name}`).toBe(true);
    }
  }
}

const familyOf = (name: string) => name.replace(/_(bucket|sum|count)$/, "");
