/** What is counted: from the history, the sessions there are, and two small tables for what leaves no other trace. */
import type { Database } from "../../database/database.ts";
import { type Device, ENDED_BY_OPERATOR } from "./contract.ts";

export interface HourRow {
  hour: Date;
  starts: number;
  takeovers: number;
  refusals: number;
  expiries: number;
  ends: number;
  revocations: number;
  copies: number;
  live_peak: number | null;
  peak_at: Date | null;
}

/** That many hours, oldest first, the current one last. A silent session counts as expired, cleaned up or not. */
export async function selectHours(database: Database, hours: number): Promise<HourRow[]> {
  return database.background.query(
    (sql) => sql<HourRow[]>`
      WITH span AS MATERIALIZED (
        SELECT date_trunc('hour', clock_timestamp(), 'UTC') - make_interval(hours => ${hours - 1}) AS since,
               session_cutoff(clock_timestamp()) AS cutoff
      ), sessions AS (
        SELECT h.started_at, h.ended_at, h.reason FROM session_history h WHERE h.ended_at >= (SELECT since FROM span)
        UNION ALL
        SELECT s.started_at, CASE WHEN silent.yes THEN session_deadline(s.last_heartbeat) END,
               CASE WHEN silent.yes THEN 'expired' END
        FROM active_sessions s, LATERAL (SELECT s.last_heartbeat <= (SELECT cutoff FROM span) AS yes) silent
      ), happened AS (
        SELECT started_at AS at, 'started' AS what FROM sessions
        UNION ALL
        SELECT ended_at, reason FROM sessions WHERE ended_at IS NOT NULL
      ), counted AS (
        SELECT date_trunc('hour', at, 'UTC') AS hour, what, count(*) AS n
        FROM happened WHERE at >= (SELECT since FROM span) GROUP BY 1, 2
      )
      SELECT h.hour,
             coalesce(sum(c.n) FILTER (WHERE c.what = 'started'), 0)::int AS starts,
             coalesce(sum(c.n) FILTER (WHERE c.what = 'replaced'), 0)::int AS takeovers,
             (SELECT coalesce(sum(r.refusals), 0)::int FROM refusal_counts r WHERE r.hour = h.hour) AS refusals,
             coalesce(sum(c.n) FILTER (WHERE c.what = 'expired'), 0)::int AS expiries,
             coalesce(sum(c.n) FILTER (WHERE c.what = 'ended'), 0)::int AS ends,
             coalesce(sum(c.n) FILTER (WHERE c.what = ANY (string_to_array(${ENDED_BY_OPERATOR.join()}, ','))), 0)::int AS revocations,
             coalesce(sum(c.n) FILTER (WHERE c.what = 'cloned'), 0)::int AS copies,
             p.live AS live_peak, p.at AS peak_at
      FROM generate_series((SELECT since FROM span), clock_timestamp(), interval '1 hour') AS h (hour)
      LEFT JOIN counted c ON c.hour = h.hour
      LEFT JOIN live_peaks p ON p.hour = h.hour
      GROUP BY h.hour, p.live, p.at ORDER BY h.hour`,
  );
}

export interface TakeoverRow {
  key_id: number;
  access_key: string;
  label: string | null;
  at: Date;
  from_device: Device | null;
  to_device: Device | null;
}

/** The newest takeovers of that many hours, newest first. */
export async function selectNewestTakeovers(database: Database, hours: number, limit: number): Promise<TakeoverRow[]> {
  return database.background.query(
    (sql) => sql<TakeoverRow[]>`
      SELECT t.key_id, t.access_key, k.label, t.ended_at AS at, t.device AS from_device, t.replaced_by_device AS to_device
      FROM (
        SELECT * FROM session_history
        WHERE reason = 'replaced' AND ended_at >= (SELECT clock_timestamp() - make_interval(hours => ${hours}))
        ORDER BY ended_at DESC LIMIT ${limit}
      ) t LEFT JOIN keys k ON k.id = t.key_id ORDER BY t.ended_at DESC`,
  );
}

export interface SharingRow {
  /** How many keys were used by that many different devices; eleven means more than ten. */
  keys_by_devices: Array<{ devices: number; keys: number }>;
  takeovers: Array<{ key_id: number; access_key: string; label: string | null; takeovers: number; devices: number }>;
}

/**
 * By how many devices keys were used, and the keys with most takeovers between two. A device is known by its name and
 * platform; one that says neither is nobody else than any other.
 */
export async function selectSharing(database: Database, hours: number, keysMax: number): Promise<SharingRow> {
  const [row] = await database.background.query(
    (sql) => sql<SharingRow[]>`
      WITH span AS MATERIALIZED (
        SELECT date_trunc('hour', clock_timestamp(), 'UTC') - make_interval(hours => ${hours - 1}) AS since
      ), seen AS (
        SELECT key_id, device->>'name' AS name, device->>'platform' AS platform
        FROM session_history WHERE ended_at >= (SELECT since FROM span) GROUP BY 1, 2, 3
        UNION
        SELECT key_id, device->>'name', device->>'platform' FROM active_sessions
      ), used AS (
        SELECT key_id, greatest(count(*) FILTER (WHERE name IS NOT NULL OR platform IS NOT NULL), 1)::int AS devices
        FROM seen GROUP BY key_id
      ), by_devices AS (
        SELECT least(devices, 11) AS devices, count(*)::int AS keys FROM used GROUP BY 1
      ), takeovers AS (
        SELECT key_id, count(*)::int AS takeovers FROM session_history
        WHERE reason = 'replaced' AND ended_at >= (SELECT since FROM span)
          AND device IS NOT NULL AND replaced_by_device IS NOT NULL
          AND (device->>'name', device->>'platform')
              IS DISTINCT FROM (replaced_by_device->>'name', replaced_by_device->>'platform')
        GROUP BY key_id
      ), most AS (
        SELECT t.key_id, k.key_prefix || '…' AS access_key, k.label, t.takeovers, u.devices
        FROM takeovers t JOIN keys k ON k.id = t.key_id JOIN used u ON u.key_id = t.key_id
        ORDER BY t.takeovers DESC, u.devices DESC, t.key_id LIMIT ${keysMax}
      )
      SELECT (SELECT coalesce(jsonb_agg(by_devices), '[]') FROM by_devices) AS keys_by_devices,
             (SELECT coalesce(jsonb_agg(most), '[]') FROM most) AS takeovers`,
  );
  return row as SharingRow;
}

/** Raises the peak of the current hour, if it was lower. */
export async function keepLivePeak(database: Database, live: number): Promise<void> {
  await database.background.query((sql, waits) => sql`SELECT keep_live_peak(caller_waits(${waits}, ${live}::int))`);
}

/** Whether this process is the one to count, as none has for so many seconds. In an hour's first seconds several are. */
export async function claimSample(database: Database, seconds: number): Promise<boolean> {
  const [row] = await database.background.query(
    (sql) => sql<Array<{ claimed: boolean }>>`
      WITH present AS (
        SELECT hour FROM live_peaks WHERE hour = date_trunc('hour', clock_timestamp(), 'UTC')
      ), claimed AS (
        UPDATE live_peaks p SET sampled_at = clock_timestamp() FROM present
        WHERE p.hour = present.hour
          AND p.sampled_at NOT BETWEEN clock_timestamp() - make_interval(secs => ${seconds}) AND clock_timestamp()
        RETURNING p.hour
      )
      SELECT NOT EXISTS (SELECT FROM present) OR EXISTS (SELECT FROM claimed) AS claimed`,
  );
  return row?.claimed === true;
}

/** Adds to what was refused in the present hour. */
export async function addRefusals(
  database: Database,
  counts: Array<{ code: string; refusals: number }>,
): Promise<void> {
  await database.background.query(
    (sql, waits) => sql`SELECT add_refusals(caller_waits(${waits}, ${sql.json(counts)}::jsonb))`,
  );
}
