/**
 * An upgrade without downtime, from this release to the next one and back: two processes on one database, restarted in
 * turn behind a balancer, under devices that beat, start, take over and end all the while. No release has been made
 * before this one, so the next one is this one with a migration more and with changed functions.
 */
import { createHash } from "node:crypto";
import { appendFileSync, cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import postgres from "postgres";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { type Session, type SessionEvent, startSession } from "../src/client/index.ts";
import { type Balancer, startBalancer } from "./support/balancer.ts";
import { databaseUrl } from "./support/database-url.ts";
import { type RunningServer, startServer } from "./support/process.ts";
import { newAccessKey } from "./support/secrets.ts";

const PROGRAM = "dist/src/cli/keybeat.js";
const BEATING = Number(process.env.BEATING ?? 100);
const SETTLE_MS = 1500;

const folder = mkdtempSync(join(tmpdir(), "keybeat-upgrade-"));
const nextProgram = join(folder, PROGRAM);
const name = `keybeat_upgrade_${process.pid}`;
let admin: postgres.Sql;
let url: string;

beforeAll(async () => {
  makeNextRelease();
  admin = postgres(inject("serverUrl"), { max: 1, onnotice: () => {} });
  await admin.unsafe(`CREATE DATABASE ${name}`);
  url = databaseUrl(inject("serverUrl"), name);
});
afterAll(async () => {
  await admin.unsafe(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
  await admin.end();
  rmSync(folder, { recursive: true, force: true });
});

/** This release with one migration more, and with functions that have changed. */
function makeNextRelease(): void {
  for (const part of ["dist", "migrations", "package.json"]) cpSync(part, join(folder, part), { recursive: true });
  symlinkSync(resolve("node_modules"), join(folder, "node_modules"));
  const journal = join(folder, "migrations/meta/_journal.json");
  const { entries, ...rest } = JSON.parse(readFileSync(journal, "utf8"));
  const next = { ...entries.at(-1), idx: entries.length, when: entries.at(-1).when + 1, tag: "next" };
  writeFileSync(journal, JSON.stringify({ ...rest, entries: [...entries, next] }));
  writeFileSync(join(folder, "migrations/next.sql"), 'ALTER TABLE "keys" ADD COLUMN "colour" text;');
  const functions = join(folder, "migrations/functions");
  appendFileSync(join(functions, "device.sql"), "\n-- Changed.\n");
}

describe("an upgrade under load", () => {
  it("fails no device on the way to the new release, back to the old one, and on again", async () => {
    const env = { DATABASE_URL: url, HEARTBEAT_SECONDS: "1", SESSION_TIMEOUT_SECONDS: "20", LOG_LEVEL: "warn" };
    const servers = [await startServer(env, PROGRAM), await startServer(env, PROGRAM)];
    const ports = servers.map((server) => Number(new URL(server.url).port));
    const restart = async (which: number, program: string) => {
      expect(await (servers[which] as RunningServer).stop()).toBe(0);
      servers[which] = await startServer({ ...env, HOST: "127.0.0.1", PORT: String(ports[which]) }, program);
      await sleep(SETTLE_MS);
    };
    const balancer = await startBalancer(ports);
    const load = await startLoad(balancer);
    const before = await readVersions();
    for (const program of [nextProgram, PROGRAM, nextProgram]) {
      for (const which of [0, 1]) await restart(which, program);
    }
    const { lost, failures, generations, passed, degraded } = await load.stop();
    await Promise.all(servers.map((server) => server.stop()));
    await balancer.close();

    console.log(
      `${BEATING} devices beat, ${passed} came and went, ${generations.length} takeovers of one key, ${degraded.length} beats were tried again (${[...new Set(degraded)]})`,
    );
    expect([lost, failures]).toEqual([[], []]);
    expect(passed).toBeGreaterThan(20);
    expect(generations.length).toBeGreaterThan(5);
    expect(generations).toEqual([...new Set(generations)].sort((a, b) => a - b));
    // Once each: the older program has taken nothing back.
    expect(await readVersions()).toEqual({ migrations: before.migrations + 1, functions: before.functions + 1 });
    await expectNothingLostIn(load.keys);
  }, 240_000);
});

/** What the database says: each of them held its key with the one session that it began with. */
async function expectNothingLostIn(keys: number[]): Promise<void> {
  const sql = postgres(url, { max: 1 });
  const endings = await sql`SELECT reason, count(*)::int AS n FROM session_history
                            WHERE key_id = ANY (string_to_array(${keys.join()}, ',')::bigint[]) GROUP BY reason`;
  await sql.end();
  expect(endings.map(({ reason, n }) => [reason, n])).toEqual([["ended", keys.length]]);
}

async function readVersions(): Promise<{ migrations: number; functions: number }> {
  const sql = postgres(url, { max: 1 });
  const [row] = await sql`
    SELECT (SELECT count(*)::int FROM drizzle.__drizzle_migrations) AS migrations,
           (SELECT count(*)::int FROM applied_functions) AS functions`;
  await sql.end();
  return row as unknown as { migrations: number; functions: number };
}

/** By a statement that every release understands, whichever has migrated. */
async function makeKey(sql: postgres.Sql): Promise<{ id: number; access_key: string }> {
  const access_key = newAccessKey();
  const hash = createHash("sha256").update(access_key).digest("hex");
  const [row] = await sql`INSERT INTO keys (key_hash, key_prefix)
                          VALUES (decode(${hash}, 'hex'), ${access_key.slice(0, 8)}) RETURNING id::int`;
  return { id: row?.id, access_key };
}

/** Devices with our own client: many that stay, a stream of those that come and go, and two that want the same key. */
async function startLoad(balancer: Balancer) {
  const sql = postgres(url, { max: 1 });
  const lost: string[] = [];
  const failures: string[] = [];
  const generations: number[] = [];
  let passed = 0;
  const degraded: string[] = [];
  let stopping = false;
  const open = (accessKey: string, device: string, onEvent: (event: SessionEvent) => void = () => {}) =>
    startSession({ url: balancer.url, accessKey, device: { name: device }, onEvent });
  const watchOver = (device: string) => (event: SessionEvent) => {
    if (event.type === "lost") lost.push(`${device}: ${event.reason}`);
    if (event.type === "degraded") degraded.push(event.error);
  };
  const again = async (once: () => Promise<unknown>) => {
    while (!stopping) await once().catch((error) => failures.push(String(error)));
  };

  const keys = await Promise.all(Array.from({ length: BEATING }, () => makeKey(sql)));
  const staying = await Promise.all(
    keys.map((key, at) => open(key.access_key, `staying ${at}`, watchOver(`staying ${at}`))),
  );
  const contested = await makeKey(sql);
  let holder: Session | undefined;
  const runners = [
    again(async () => {
      const session = await open((await makeKey(sql)).access_key, "passing", watchOver("passing"));
      await sleep(50);
      await session.end();
      passed++;
    }),
    again(async () => {
      holder = await open(contested.access_key, "contesting");
      generations.push(holder.generation);
      await sleep(300);
    }),
  ];
  return {
    keys: keys.map(({ id }) => id),
    async stop() {
      stopping = true;
      await Promise.all(runners);
      await Promise.all([...staying, ...(holder ? [holder] : [])].map((session) => session.end()));
      await sql.end();
      return { lost, failures, generations, passed, degraded };
    },
  };
}
