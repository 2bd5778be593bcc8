/** Checks that a start can use the database: it is there, writable, new enough, and formats dates as we expect. */
import { setTimeout as sleep } from "node:timers/promises";
import { OperatorError } from "../errors.ts";
import { openConnections, type Way } from "./connections.ts";
import { nameServers, type Server } from "./destination.ts";
import { type Patience, pause, sayIfSlow, sayNowAndThen, untilStopped } from "./patience.ts";

const OLDEST_VERSION = 150_000;
const AGAIN_MS = 500;
const ANSWER_MS_MAX = 6000;

export interface Reached {
  serverVersion: string;
  /** Unfortunate settings of the role or the database, a line each. */
  warnings: string[];
}

/** Waits for a database that is away, within `patience`. Throws an OperatorError that says why in one line. */
export async function reachDatabase(way: Way, patience: Patience): Promise<Reached> {
  const { servers, waitSeconds } = way.destination;
  const name = nameServers(way.destination);
  const waitMs = patience.awayMs === 0 ? 0 : waitSeconds === undefined ? patience.awayMs : waitSeconds * 1000;
  const giveUpAt = performance.now() + waitMs;
  const say = sayNowAndThen(patience.say);
  for (;;) {
    const failures: Failure[] = [];
    for (const server of servers) {
      const outcome = await sayIfSlow(
        ask(way, server, patience.stop),
        patience,
        `waiting for the database at ${name}, which has not answered yet`,
      );
      if ("serverVersion" in outcome) return outcome;
      failures.push(outcome);
    }
    const reason = failures
      .map(({ why }, at) => (servers.length === 1 ? why : `${servers[at]?.host}:${servers[at]?.port} ${why}`))
      .join("; ");
    const leftMs = giveUpAt - performance.now();
    if (leftMs <= 0 || !failures.some(({ mayPass }) => mayPass)) {
      const tried = waitMs > 0 && leftMs <= 0 ? ` (tried for ${Math.round(waitMs / 1000)} s)` : "";
      throw new OperatorError(`the database at ${name} cannot be reached: ${reason}${tried}`);
    }
    say(`waiting for the database at ${name}: ${reason}`, `; trying again for ${Math.ceil(leftMs / 1000)} s`);
    await pause(Math.min(AGAIN_MS, leftMs), patience.stop);
  }
}

interface Failure {
  why: string;
  /** It may recover in a moment. */
  mayPass: boolean;
}

async function ask(way: Way, only: Server, stop: AbortSignal): Promise<Reached | Failure> {
  const sql = openConnections(way, { name: "start", prepare: false, silenceMsMax: ANSWER_MS_MAX, only });
  const answered = new AbortController();
  try {
    const answer = Promise.race([
      look(sql),
      // The driver keeps retrying when a server accepts and hangs up.
      sleep(ANSWER_MS_MAX, undefined, { signal: answered.signal }).then(
        (): Failure => ({ why: "it does not answer", mayPass: true }),
      ),
    ]);
    return await untilStopped(answer, stop);
  } catch (error) {
    if (error instanceof OperatorError || stop.aborted) throw error;
    return { why: describe(error), mayPass: isPassing(error) };
  } finally {
    answered.abort();
    await sql.end({ timeout: 0 });
  }
}

async function look(sql: ReturnType<typeof openConnections>): Promise<Reached | Failure> {
  const [server] = await sql`
    SELECT current_setting('server_version') AS version, current_setting('server_version_num')::int AS number`;
  if (server?.number < OLDEST_VERSION) {
    throw new OperatorError(`PostgreSQL ${server?.version} is too old: Keybeat needs 15 or later`);
  }
  const [row] = await sql`
    SELECT current_setting('transaction_read_only') = 'on' AS read_only, pg_is_in_recovery() AS standby,
           current_setting('DateStyle') AS date_style, current_setting('client_encoding') AS encoding,
           current_setting('standard_conforming_strings') AS strings,
           current_setting('default_transaction_isolation') AS isolation,
           current_setting('session_replication_role') AS replication_role,
           (SELECT setting::int FROM pg_settings WHERE name = 'statement_timeout') AS statement_timeout_ms`;
  if (row?.read_only) {
    return { why: `it takes no writes (${row.standby ? "a standby" : "read-only by its settings"})`, mayPass: true };
  }
  if (!row?.date_style.startsWith("ISO") || row.encoding !== "UTF8" || row.strings !== "on") {
    throw new OperatorError(
      `what is between Keybeat and the database drops settings that were asked for: DateStyle is ${row?.date_style}, ` +
        `client_encoding ${row?.encoding}, standard_conforming_strings ${row?.strings}; let DATABASE_URL name PostgreSQL itself`,
    );
  }
  const warnings: string[] = [];
  if (row.isolation !== "read committed") {
    warnings.push(`default_transaction_isolation is ${row.isolation}: devices that compete for a key get 503`);
  }
  if (row.replication_role === "replica") {
    warnings.push("session_replication_role is replica: no trigger runs, so replaced devices are told late");
  }
  if (row.statement_timeout_ms > 0 && row.statement_timeout_ms < 5000) {
    warnings.push(`statement_timeout is ${row.statement_timeout_ms} ms: too short for the cleanup`);
  }
  return { serverVersion: String(server?.version), warnings };
}

/** Socket errors, and what PostgreSQL says while it starts, recovers, stops or is full. */
function isPassing(error: unknown): boolean {
  const { code = "" } = error as { code?: string };
  return /^(E(?!PROTO)[A-Z]{3,}|EAI_|CONNECT|08|53300|57P03|57P01)/.test(code) && code !== "08P01";
}

function describe(error: unknown): string {
  const { message, code } = error as { message?: string; code?: string };
  return message || code || String(error);
}
