/** Whatever a role or a database is set to, the service's answers are right: what it relies on it asks for itself. */
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Reply } from "../support/app.ts";
import { useDatabase } from "../support/database.ts";
import { keybeat, type RunningServer, startServer } from "../support/process.ts";
import { newAccessKey, newSessionId } from "../support/secrets.ts";

const ADMIN_TOKEN = "an-admin-token-for-the-settings";
const admin = { Authorization: `Bearer ${ADMIN_TOKEN}` };
const db = useDatabase();
let server: RunningServer;

beforeAll(async () => {
  server = await startServer({ DATABASE_URL: db.url, ADMIN_TOKEN, CLEANUP_CRON: "", LOG_LEVEL: "error" });
});
afterAll(() => server.stop());

/** From now on each new connection has it, and all are new. */
async function set(setting: string): Promise<void> {
  await db.sql.unsafe(`ALTER DATABASE ${db.name} RESET ALL; ALTER DATABASE ${db.name} SET ${setting}`);
  await db.sql`
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND application_name LIKE 'keybeat%'`;
  for (let tries = 0; (await server.get("/health")).status !== 200; tries++) {
    if (tries === 100) throw new Error("it does not come back");
    await sleep(50);
  }
}

/** As a client does: all connections have just been cut, so a call may be answered with 503 once. */
async function call(path: string, body?: object): Promise<Reply> {
  for (let tries = 0; ; tries++) {
    const reply = await (body ? server.post(path, body, admin) : server.get(path, admin));
    if (reply.status !== 503 || tries === 50) return reply;
    await sleep(100);
  }
}

function expectNow(text: string, aheadSeconds = 0): void {
  expect(text).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  expect(Math.abs(new Date(text).getTime() - Date.now() - aheadSeconds * 1000)).toBeLessThan(60_000);
}

it.each([
  ...["DateStyle = 'SQL, DMY'", "DateStyle = 'SQL, MDY'", "DateStyle = 'German'", "DateStyle = 'Postgres, DMY'"],
  ...["TimeZone = 'Asia/Kathmandu'", "TimeZone = 'America/St_Johns'", "IntervalStyle = 'sql_standard'"],
  ...["client_encoding = 'LATIN1'", "standard_conforming_strings = off", "backslash_quote = on"],
  ...["bytea_output = 'escape'", "extra_float_digits = -15", "transform_null_equals = on", "row_security = off"],
  ...["default_transaction_isolation = 'serializable'", "default_transaction_isolation = 'repeatable read'"],
  ...["default_transaction_deferrable = on", 'search_path = "$user", public', "statement_timeout = '3s'"],
  ...["plan_cache_mode = 'force_generic_plan'", "jit_above_cost = 0", "enable_indexscan = off", "enable_seqscan = off"],
])("a session's whole story with %s", async (setting) => {
  await set(setting);
  const post = async (path: string, body: object) => (await call(`/api/session/${path}`, body)).body;
  const made = await call("/api/admin/keys", { access_key: newAccessKey(), label: "Zoë \\d" });
  expect(made.status).toBe(201);
  expectNow(made.body.created_at);
  const access_key = made.body.access_key;
  const [first, second] = [newSessionId(), newSessionId()];

  const started = await post("start", { access_key, session_id: first, device: { name: "Zoë's PC" } });
  expect(started).toMatchObject({ success: true, previous_session: null });
  expectNow(started.started_at);
  expectNow(started.expires_at, 60);
  expectNow(started.server_time);
  const beaten = await post("heartbeat", { session_id: first });
  expectNow(beaten.expires_at, 60);
  expect((await post("status", { access_key, session_id: first })).session.device.name).toBe("Zoë's PC");
  const taken = await post("start", { access_key, session_id: second });
  expectNow(taken.previous_session.last_heartbeat);
  expect(taken.generation).toBeGreaterThan(started.generation);
  const replaced = await post("heartbeat", { session_id: first });
  expect(replaced.code).toBe("session_replaced");
  expectNow(replaced.ended_at);
  expectNow(replaced.replaced_by.started_at);

  const history = await call(`/api/admin/keys/${made.body.id}/history`);
  for (const { started_at } of history.body.items) expectNow(started_at);
  const live = await call("/api/admin/sessions");
  expectNow(live.body.items[0].last_heartbeat);
  expect((await call("/api/admin/numbers?hours=2")).status).toBe(200);
  const user_id = newSessionId();
  expect((await call("/api/v1/session/create", { user_id, session_id: "a-tab" })).body.status).toBe("active");
  await call(`/api/v1/session/close/${user_id}`, {});
  expect((await call("/api/admin/cleanup-sessions", {})).status).toBe(200);
  expect(await post("end", { session_id: second })).toEqual({ success: true });
});

it.each([
  ["default_transaction_isolation = 'serializable'", /default_transaction_isolation is serializable/],
  ["session_replication_role = 'replica'", /session_replication_role is replica/],
  ["statement_timeout = '4s'", /statement_timeout is 4/],
] as const)(
  "%s, which cannot be asked for and does harm, is named at the start and by the doctor",
  async (setting, said) => {
    const env = { DATABASE_URL: db.url, CLEANUP_CRON: "", PORT: "0" };
    await set(setting);
    const started = await startServer(env);
    expect(started.output()).toMatch(said);
    expect(await started.stop()).toBe(0);
    expect((await keybeat(["doctor"], env)).stdout).toMatch(said);
  },
);

it("a database that quotes all names is known to be migrated", async () => {
  await set("quote_all_identifiers = on");
  const { code, stdout, stderr } = await keybeat(["migrate"], { DATABASE_URL: db.url });
  expect([code, stdout, stderr]).toEqual([0, "the schema is up to date\n", ""]);
});

it("a database that is read-only by its settings is refused in one line that says so", async () => {
  await db.sql.unsafe(
    `ALTER DATABASE ${db.name} RESET ALL; ALTER DATABASE ${db.name} SET default_transaction_read_only = on`,
  );
  const refused = await keybeat(["keys", "list"], { DATABASE_URL: db.url });
  await db.sql.unsafe(`SET default_transaction_read_only = off; ALTER DATABASE ${db.name} RESET ALL`);
  expect(refused).toMatchObject({ code: 1, stdout: "" });
  expect(refused.stderr).toMatch(/^keybeat: [^\n]*takes no writes \(read-only by its settings\)\n$/);
});
