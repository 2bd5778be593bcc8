/** Whether our own tables are up to date, looked after and in shape. */
import { findDue, readMigrations } from "../../database/schema.ts";
import { type Finding, fail, ok, warn } from "./finding.ts";
import type { Facts, TableFacts } from "./sql.ts";

const TICK_SECONDS_MAX = 3;
const OVERDUE_SECONDS_MAX = 2 * 3600;
const TRANSACTION_SECONDS_MAX = 600;
/** Below that autovacuum has nothing to do yet, and shares say nothing. */
const ROWS_MIN = 10_000;
/** For so long a jump of the clock is worth a word. */
const STEP_SECONDS_MAX = 7 * 86_400;

export function checkTables({ schema, tables }: Facts, config: { sessionTimeoutSeconds: number }): Finding[] {
  const migrations = checkMigrations(schema);
  if (!tables) return [migrations];
  return [
    migrations,
    checkService(tables),
    checkJumps(tables),
    checkTimeout(tables, config.sessionTimeoutSeconds),
    checkCleanup(tables),
    checkPartitions(tables),
    checkIndexes(tables),
    checkMemory(tables),
    checkBloat(tables),
    checkTransactions(tables),
  ];
}

function checkMigrations(schema: Facts["schema"]): Finding {
  const known = readMigrations().map(({ folderMillis }) => folderMillis);
  const { migrations, functions } = findDue(schema);
  const unknown = (schema.applied ?? []).filter((when) => !known.includes(when));
  const mend = "run keybeat migrate, or start keybeat serve";
  if (migrations.length > 0)
    return fail("migrations", `${migrations.length} of ${known.length} are not applied yet`, mend);
  if (functions) return fail("migrations", "the database's functions are those of an older release", mend);
  return unknown.length > 0
    ? warn(
        "migrations",
        `the database is ${unknown.length} ahead of this release`,
        "that is right during an upgrade; else install the newer release here too",
      )
    : ok("migrations", `all ${known.length} are applied`);
}

function checkService({ tick_age_seconds, live }: TableFacts): Finding {
  if (tick_age_seconds === null) return warn("service", "none has ever served this database", "start keybeat serve");
  return tick_age_seconds > TICK_SECONDS_MAX
    ? warn(
        "service",
        `none has served this database for ${duration(tick_age_seconds)}`,
        "start keybeat serve, or see its log",
      )
    : ok("service", `it serves, ${live} session(s) are live`);
}

/** A sleep of the host that serves looks like a jump ahead. */
function checkJumps({ clock_steps, clock_stepped_seconds, clock_step_age_seconds }: TableFacts): Finding {
  if (clock_stepped_seconds === null || clock_step_age_seconds === null) {
    return ok("jumps", "the database's clock was never seen to jump");
  }
  const way = clock_stepped_seconds < 0 ? "back" : "ahead";
  const said = `the database's clock jumped ${clock_steps} time(s), ${duration(clock_step_age_seconds)} ago by ${duration(Math.abs(clock_stepped_seconds))} ${way}`;
  return clock_step_age_seconds > STEP_SECONDS_MAX
    ? ok("jumps", said)
    : warn("jumps", `${said}; it expired nobody`, "let an NTP client that slews keep the time on the database's host");
}

/** The one that starts last sets it for all, so a difference is a change that awaits the next start. */
function checkTimeout({ timeout_seconds }: TableFacts, here: number): Finding {
  return timeout_seconds === here
    ? ok("timeout", `sessions expire after ${here} s of silence`)
    : warn(
        "timeout",
        `it is ${timeout_seconds} s in the database and ${here} s here, so the next start changes it for all`,
        `set SESSION_TIMEOUT_SECONDS=${timeout_seconds} here, or restart the service with ${here}`,
      );
}

function checkCleanup({ silent, overdue_seconds }: TableFacts): Finding {
  const said = `${silent} silent session(s) await the cleanup, the oldest for ${duration(overdue_seconds)}`;
  if (silent === 0) return ok("cleanup", "no silent session awaits it");
  return overdue_seconds > OVERDUE_SECONDS_MAX
    ? warn("cleanup", `${said}: it does not run`, "set CLEANUP_CRON, or let the host's cron run keybeat cleanup")
    : ok("cleanup", said);
}

function checkPartitions({ missing_partitions, rows_in_default }: TableFacts): Finding {
  if (missing_partitions.length > 0) {
    return warn("history", `${missing_partitions.join(", ")} are missing`, "run keybeat cleanup; it makes them");
  }
  return rows_in_default
    ? warn(
        "history",
        "endings lie in session_history_default, as no cleanup had made their month",
        "let the cleanup run; they go away with HISTORY_RETENTION_DAYS",
      )
    : ok("history", "this month and the next two have their partitions");
}

/** Measured: with such an index none of 473,020 heartbeats was a heap-only update; without it all were. */
function checkIndexes({ indexes_on_heartbeat }: TableFacts): Finding {
  return indexes_on_heartbeat.length > 0
    ? fail(
        "indexes",
        `${indexes_on_heartbeat.join(", ")} makes every heartbeat write into indexes`,
        indexes_on_heartbeat.map((name) => `DROP INDEX CONCURRENTLY ${name}`).join("; "),
      )
    : ok("indexes", "none on last_heartbeat, so heartbeats are heap-only updates");
}

function checkMemory({ bytes, memory_bytes }: TableFacts): Finding {
  const said = `active_sessions takes ${mebibytes(bytes)} MiB, shared_buffers has ${mebibytes(memory_bytes)}`;
  return bytes > memory_bytes
    ? warn("memory", `${said}: heartbeats wait for the disk`, `set shared_buffers to ${2 * mebibytes(bytes)}MB`)
    : ok("memory", said);
}

const mebibytes = (bytes: number) => Math.ceil(bytes / 2 ** 20);

function checkBloat({ live_rows, dead_rows, updates, heap_only_updates }: TableFacts): Finding {
  const heapOnly = updates === 0 ? 1 : heap_only_updates / updates;
  const said = `${dead_rows} dead rows beside ${live_rows} in active_sessions, ${Math.round(heapOnly * 100)} % of updates heap-only`;
  if (dead_rows > Math.max(ROWS_MIN, live_rows)) {
    return warn("bloat", `${said}: autovacuum does not keep up`, "VACUUM active_sessions, and end old transactions");
  }
  return updates > ROWS_MIN && heapOnly < 0.8
    ? warn("bloat", said, "look for an index on last_heartbeat and for old transactions; VACUUM FULL gives room back")
    : ok("bloat", said);
}

function checkTransactions({ oldest_transaction_seconds }: TableFacts): Finding {
  const seconds = oldest_transaction_seconds ?? 0;
  return seconds > TRANSACTION_SECONDS_MAX
    ? warn(
        "transactions",
        `one has been open for ${duration(seconds)} and keeps dead rows from being cleared`,
        "end it: scripts/monitor/connections.sql shows whose it is",
      )
    : ok("transactions", "none is old");
}

function duration(seconds: number): string {
  if (seconds < 100) return `${Math.round(seconds)} s`;
  if (seconds < 6000) return `${Math.round(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86_400)} d`;
}
