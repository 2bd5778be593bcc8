/** Rows whose answers to the queries in scripts/monitor are known. */
import { randomBytes } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import type postgres from "postgres";
import { beforeEach, expect } from "vitest";
import { useDatabase } from "../../support/database.ts";
import { findSecrets, newSessionId } from "../../support/secrets.ts";

const FOLDER = "scripts/monitor";
export const FILES = readdirSync(FOLDER).filter((file) => file.endsWith(".sql"));
/** Long, so that a slow machine cannot let a seeded session expire. */
export const TIMEOUT_SECONDS = 1000;

export type Rows = Array<Record<string, unknown>>;
type Device = postgres.JSONValue;

export const text = (file: string) => readFileSync(`${FOLDER}/${file}`, "utf8");

/** "01:02:03" in seconds. */
export function seconds(interval: unknown): number {
  expect(interval).toMatch(/^\d+:\d\d:\d\d$/);
  return String(interval)
    .split(":")
    .reduce((sum, part) => sum * 60 + Number(part), 0);
}

export function expectAbout(interval: unknown, expected: number) {
  expect(Math.abs(seconds(interval) - expected)).toBeLessThan(60);
}

export const same = (a: unknown, b: unknown) => (a as Date).getTime() === (b as Date).getTime();

/** For a test file: a database without sessions before each test, what fills it, and what asks it. */
export function useMonitored() {
  const db = useDatabase();
  let generation = 0;

  beforeEach(async () => {
    await db.sql`TRUNCATE active_sessions, keys, session_history, leases, suspected_copies, batch_sessions, game_sessions CASCADE`;
    await db.sql`
      UPDATE service_state SET session_timeout_seconds = ${TIMEOUT_SECONDS}, last_tick = NULL, gap_began = NULL, gap_ended = NULL`;
  });

  /** Runs a file as psql does: as one string, without parameters. */
  async function ask(file: string): Promise<Rows> {
    const rows = await db.sql.unsafe(text(file)).simple();
    expect(findSecrets(JSON.stringify(rows))).toEqual([]);
    return [...rows];
  }

  async function addKey(label: string | null = null): Promise<number> {
    const [row] = await db.sql`
      INSERT INTO keys (key_hash, key_prefix, label) VALUES (${randomBytes(32)}, 'abcd1234', ${label}) RETURNING id`;
    return row?.id;
  }

  async function addSession(of: { silent: number; started?: number; device?: Device; label?: string; name?: string }) {
    const key = await addKey(of.label);
    await db.sql`
      INSERT INTO active_sessions (key_id, access_key, session_id, generation, started_at, last_heartbeat, device)
      VALUES (${key}, ${of.name ?? "abcd1234…"}, ${newSessionId()}, ${key}, now() - make_interval(secs => ${of.started ?? of.silent}),
              now() - make_interval(secs => ${of.silent}), ${of.device ? db.sql.json(of.device) : null})`;
    return key;
  }

  /** Times are minutes before `until`, which is now unless said otherwise. */
  async function addEnding(of: {
    key?: number;
    reason: "replaced" | "expired" | "ended" | "revoked" | "cloned";
    started?: number;
    ended: number;
    until?: Date;
    device?: Device;
    by?: Device;
  }) {
    const key = of.key ?? (await addKey());
    const [until] = of.until ? [{ at: of.until }] : await db.sql`SELECT now() AS at`;
    const moment = (minutes: number) => new Date(until?.at.getTime() - minutes * 60_000);
    generation++;
    await db.sql`
      INSERT INTO session_history (key_id, access_key, session_id, generation, started_at, last_heartbeat, ended_at, reason,
                                   device, replaced_by_generation, replaced_by_device)
      VALUES (${key}, 'abcd1234…', ${newSessionId()}, ${generation}, ${moment(of.started ?? of.ended + 1)}, ${moment(of.ended)},
              ${moment(of.ended)}, ${of.reason}, ${of.device ? db.sql.json(of.device) : null},
              ${of.reason === "replaced" ? generation + 1 : null}, ${of.by ? db.sql.json(of.by) : null})`;
  }

  /** Of that live session, or of an older one of its key. */
  async function suspect(key: number, of: { times: number; older?: boolean }) {
    await db.sql`
      INSERT INTO suspected_copies (key_id, generation, times_asked, seen_at)
      SELECT key_id, generation - ${of.older ? 1 : 0}, ${of.times}, now() FROM active_sessions WHERE key_id = ${key}`;
  }

  /** Given an hour ago, for a session that began with the letter a. */
  async function addLease(key: number, of: { endsIn: number; device?: Device }) {
    await db.sql`
      INSERT INTO leases (key_id, lease_id, session_id, generation, device, issued_at, until)
      VALUES (${key}, ${`lease-${key}`}, ${`a${newSessionId().slice(1)}`}, 7, ${of.device ? db.sql.json(of.device) : null},
              now() - interval '1 hour', now() + make_interval(secs => ${of.endsIn}))`;
  }

  /** The beginning of the hour that many hours ago, and how the queries print it. */
  async function hourAgo(hours: number): Promise<{ at: Date; printed: unknown }> {
    const [row] = await db.sql`
      SELECT h.at, h.at AT TIME ZONE 'UTC' AS printed
      FROM (SELECT date_trunc('hour', now(), 'UTC') - make_interval(hours => ${hours}) AS at) h`;
    return { at: row?.at, printed: row?.printed };
  }

  /** An outage of ours from … to … seconds ago, over since. */
  async function setOutage(ago: { began: number; ended: number }): Promise<void> {
    await db.sql`
      UPDATE service_state SET last_tick = now(), gap_began = now() - make_interval(secs => ${ago.began}),
                               gap_ended = now() - make_interval(secs => ${ago.ended})`;
  }

  /** Heard of so many seconds ago; results by their outcome, of five nodes. */
  async function addRun(of: {
    path: string;
    silent: number;
    worker?: string;
    deadlineIn?: number;
    results?: string[];
  }) {
    const [run] = await db.sql`SELECT (v.run).run AS number, (v.run).session_id AS id FROM create_batch(
      gen_random_uuid(), ${of.path}, 5, '{}', ${of.deadlineIn === undefined ? null : of.silent + of.deadlineIn}, NULL, NULL) v`;
    if (of.worker) await db.sql`SELECT claim_batch(${run?.id}, ${of.worker}, false)`;
    for (const [n, outcome] of (of.results ?? []).entries()) {
      await db.sql`SELECT put_node(${run?.id}, ${`node ${n}`}, ${outcome}, NULL, NULL, NULL, NULL, NULL, 1000)`;
    }
    await db.sql`
      UPDATE batch_sessions SET last_report = last_report - ${of.silent} * interval '1 second',
        created_at = created_at - ${of.silent} * interval '1 second', started_at = started_at - ${of.silent} * interval '1 second',
        worker_seen = worker_seen - ${of.silent} * interval '1 second',
        not_over_before = not_over_before - ${of.silent} * interval '1 second' WHERE run = ${run?.number}`;
    return run?.id as string;
  }

  /** Called for so many seconds ago; with a duration it is a match of one. */
  async function addGame(of: { silent: number; paused?: number; duration?: number; actions?: number }) {
    const [game] = await db.sql`
      SELECT g.number, g.session_id AS id, g.player_id AS player, g.created_at
      FROM insert_game(gen_random_uuid(), gen_random_uuid(), 'combat', NULL, NULL, ${of.duration ?? null}, clock_timestamp()) g`;
    await db.sql`
      UPDATE game_sessions SET created_at = created_at - by, last_call = last_call - by, not_over_before = not_over_before - by,
        status = ${of.paused ? "paused" : "active"}, paused_at = clock_timestamp() - make_interval(secs => ${of.paused ?? null})
      FROM make_interval(secs => ${of.silent}) by WHERE number = ${game?.number}`;
    if (of.duration !== undefined) {
      await db.sql`
        INSERT INTO game_combats (session, mode, rules, founders, started_at, total_actions)
        VALUES (${game?.number}, 'pvp', '{}', ARRAY[${game?.player}::uuid], ${game?.created_at}, ${of.actions ?? 0})`;
      await db.sql`
        INSERT INTO game_participants (session, player_id, place, joined_at, health)
        VALUES (${game?.number}, ${game?.player}, 1, ${game?.created_at}, 100)`;
    }
    return game?.id as string;
  }

  return { db, ask, addKey, addSession, addEnding, suspect, addLease, addRun, addGame, hourAgo, setOutage };
}
