/** What the server must be and grant, judged from what it said. */
import type { Config } from "../../config.ts";
import { connectionsNeeded } from "../../database/database.ts";
import { readDestination } from "../../database/destination.ts";
import { findDue, isNothing } from "../../database/schema.ts";
import { type Finding, fail, ok, warn } from "./finding.ts";
import type { Facts, ServerFacts } from "./sql.ts";

export interface Surroundings {
  config: Pick<Config, "workers">;
  embedded: boolean;
  url: string;
}

export function checkServer({ server, pooler, schema }: Facts, around: Surroundings): Finding[] {
  return [
    checkVersion(server),
    ...checkDurability(server),
    ...checkBehaviour(server, around.embedded),
    checkLog(server),
    checkConnections(server, around.config.workers),
    checkPooler(pooler, around.url),
    ...checkPermissions(server, isNothing(findDue(schema))),
    checkClock(server),
  ];
}

function checkVersion({ version, standby }: ServerFacts): Finding {
  const major = Math.floor(version / 10_000);
  if (major < 15) return fail("version", `PostgreSQL ${major} is too old`, "upgrade it to 15 or later");
  if (standby)
    return fail("version", "this server is a standby and takes no writes", "name the primary in DATABASE_URL");
  return major > 18
    ? warn("version", `PostgreSQL ${major} is newer than this release knows`, "look for a newer Keybeat")
    : ok("version", `PostgreSQL ${major}, a primary`);
}

/** What was acknowledged must survive a crash. */
function checkDurability({ settings }: ServerFacts): Finding[] {
  const findings: Finding[] = [];
  if (settings.synchronous_commit === "off") {
    const mend = "set synchronous_commit to on; heartbeats are written without waiting in any case";
    findings.push(
      fail("durability", "synchronous_commit is off, so a crash can lose starts that were acknowledged", mend),
    );
  }
  if (settings.fsync === "off") {
    findings.push(
      fail("durability", "fsync is off, so a crash of the host can destroy the database", "set fsync to on"),
    );
  }
  if (settings.full_page_writes === "off") {
    const mend = "set it to on, unless the file system never tears a page (ZFS)";
    findings.push(warn("durability", "full_page_writes is off, so a crash of the host can tear pages", mend));
  }
  return findings.length > 0 ? findings : [ok("durability", "synchronous_commit, fsync and full_page_writes are on")];
}

/** Settings under which the statements do not do, or not for long, what they should. */
function checkBehaviour({ settings, user }: ServerFacts, embedded: boolean): Finding[] {
  const findings: Finding[] = [];
  const isolation = settings.default_transaction_isolation;
  if (isolation !== "read committed") {
    findings.push(
      fail(
        "server",
        `default_transaction_isolation is ${isolation}: devices that compete for a key get errors`,
        `ALTER ROLE ${quote(user)} SET default_transaction_isolation = 'read committed'`,
      ),
    );
  }
  if (settings.default_transaction_read_only === "on") {
    const mend = `ALTER ROLE ${quote(user)} SET default_transaction_read_only = off`;
    findings.push(fail("server", "default_transaction_read_only is on, so nothing can be written", mend));
  }
  if (settings.session_replication_role === "replica") {
    const mend = `ALTER ROLE ${quote(user)} SET session_replication_role = origin`;
    findings.push(fail("server", "session_replication_role is replica, so replaced devices are told late", mend));
  }
  if (settings.autovacuum === "off" || settings.track_counts === "off") {
    const which = settings.autovacuum === "off" ? "autovacuum" : "track_counts";
    findings.push(fail("server", `${which} is off, so the tables only ever grow`, `set ${which} to on`));
  }
  const seconds = timeoutSeconds(settings.statement_timeout ?? "0");
  const mend = `ALTER ROLE ${quote(user)} SET statement_timeout = '30s'`;
  if (seconds === 0 && !embedded) {
    findings.push(warn("server", "statement_timeout is not set, so a stuck statement holds its locks", mend));
  } else if (seconds > 0 && seconds < 5) {
    findings.push(warn("server", `statement_timeout is ${seconds} s, too short for the cleanup`, mend));
  }
  return findings.length > 0 ? findings : [ok("server", "isolation, autovacuum and timeouts are right")];
}

/** Session ids and the hashes of keys are always parameters, never in a statement's text. */
function checkLog({ settings }: ServerFacts): Finding {
  const isAny = (name: string, none: string) => settings[name] !== undefined && settings[name] !== none;
  const logsStatements =
    isAny("log_statement", "none") ||
    isAny("log_min_duration_statement", "-1") ||
    isAny("log_min_duration_sample", "-1") ||
    isAny("log_transaction_sample_rate", "0");
  const mends = [
    ...(logsStatements && isAny("log_parameter_max_length", "0") ? ["log_parameter_max_length to 0"] : []),
    ...(isAny("log_parameter_max_length_on_error", "0") ? ["log_parameter_max_length_on_error to 0"] : []),
    ...(isAny("auto_explain.log_min_duration", "-1") && isAny("auto_explain.log_parameter_max_length", "0")
      ? ["auto_explain.log_parameter_max_length to 0"]
      : []),
    ...(isAny("pgaudit.log_parameter", "off") ? ["pgaudit.log_parameter to off"] : []),
  ];
  return mends.length > 0
    ? warn("log", "PostgreSQL logs the parameters of statements, session ids among them", `set ${mends.join(", ")}`)
    : ok("log", "PostgreSQL logs no parameters of statements");
}

/** As PostgreSQL shows it: 0, 500ms, 30s, 2min, 1h. */
function timeoutSeconds(text: string): number {
  const [, number, unit] = /^(\d+)(ms|s|min|h|d)?$/.exec(text) ?? [];
  const units: Record<string, number> = { ms: 0.001, s: 1, min: 60, h: 3600, d: 86_400 };
  return Number(number ?? 0) * (units[unit ?? "ms"] ?? 1);
}

function checkConnections(server: ServerFacts, workers: number): Finding {
  const needed = connectionsNeeded(workers);
  const said = `${server.connections} of ${server.connections_max} connections are in use; this service needs up to ${needed}`;
  if (needed > server.connections_max) {
    return fail("connections", said, `raise max_connections to ${needed + 20} or more, or lower WORKERS`);
  }
  return server.connections > server.connections_max * 0.8
    ? warn("connections", said, "raise max_connections, or see who holds them: scripts/monitor/connections.sql")
    : ok("connections", said);
}

function checkPooler({ present, listens }: Facts["pooler"], url: string): Finding {
  if (!listens) {
    return warn(
      "pooler",
      "LISTEN is not heard on this way to the database, so a takeover is told late",
      "let DATABASE_URL name PostgreSQL itself, or a pool in session mode",
    );
  }
  if (!present) return ok("pooler", "none in between; LISTEN is heard");
  return !readDestination(url).prepare
    ? ok("pooler", "one in between, statements are not prepared")
    : warn(
        "pooler",
        "there is one in between",
        "PgBouncer in transaction mode must be 1.21 or later with max_prepared_statements, or add prepare=false (or pgbouncer=true) to DATABASE_URL",
      );
}

/** The user who migrates and cleans up owns the tables; one who only serves needs less. */
function checkPermissions(server: ServerFacts, isMigrated: boolean): Finding[] {
  const user = quote(server.user);
  const findings: Finding[] = [];
  if (server.schema === null) {
    const mend = "CREATE SCHEMA …, or change search_path";
    return [fail("permissions", "no schema of search_path exists", mend)];
  }
  if (isMigrated && server.not_owned.length > 0 && server.not_usable.length === 0) {
    const said = `${server.user} may serve; the history's months and migrations need the owner of the tables`;
    const mend = `set CLEANUP_CRON to nothing for this user, and run keybeat cleanup and keybeat migrate as the owner`;
    return [warn("permissions", said, mend)];
  }
  if (!server.can_create_tables) {
    const mend = `GRANT CREATE ON SCHEMA ${server.schema} TO ${user}, or make it the owner of the database`;
    findings.push(fail("permissions", `${server.user} may not create tables, nor the history's months`, mend));
  }
  if (!server.can_create_schemas && !isMigrated) {
    const mend = `GRANT CREATE ON DATABASE … TO ${user}, or make it the owner of the database`;
    findings.push(fail("permissions", `${server.user} may not create the schema drizzle, which migrations need`, mend));
  }
  if (server.not_owned.length > 0) {
    const mend = `ALTER TABLE … OWNER TO ${user} for all tables, or GRANT as for a role that only serves (see the guides)`;
    findings.push(fail("permissions", `${server.user} neither owns nor may use ${server.not_usable.join(", ")}`, mend));
  }
  return findings.length > 0 ? findings : [ok("permissions", `${server.user} may do all that Keybeat does`)];
}

const CLOCK_SECONDS_MAX = 5;

function checkClock({ clockAheadSeconds }: ServerFacts): Finding {
  const apart = Math.abs(clockAheadSeconds);
  const where = clockAheadSeconds > 0 ? "before" : "behind";
  return apart > CLOCK_SECONDS_MAX
    ? warn(
        "clock",
        `this host's clock is ${Math.round(apart)} s ${where} the database's; sessions go by the database's alone, logs do not`,
        "run an NTP client on both hosts",
      )
    : ok("clock", `within ${Math.max(0.1, apart).toFixed(1)} s of the database's`);
}

const quote = (name: string) => (/^[a-z_][a-z0-9_]*$/.test(name) ? name : `"${name.replaceAll('"', '""')}"`);
