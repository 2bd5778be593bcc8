import { OperatorError } from "../errors.ts";
import type { Logger } from "../log.ts";
import type { Database } from "./database.ts";
import { untilFree } from "./locked.ts";

const TICK_MS = 1000;
const FIRST_TRIES = 5;

/**
 * Records each second that this process serves, on the heartbeats' lane: if that is stuck, nobody is served. By the
 * ticks the database tells an outage of ours from the devices' silence, and detects jumps of its clock (see the rule of
 * silence in migrations/). So a process that admits nobody (`isShut`) does not tick. The first tick completes before
 * this resolves, so that a gap is noticed before anybody is answered.
 */
export async function startTicking(
  database: Database,
  log: Logger,
  isShut: () => boolean = () => false,
): Promise<{ stop(): void }> {
  let before: { databaseSeconds: number; sentAt: number } | undefined;
  const tick = async () => {
    for (let unsettled = true; unsettled; ) {
      const sentAt = performance.now();
      const row = await serveTick(database, before && before.databaseSeconds + (sentAt - before.sentAt) / 1000);
      unsettled = row.unsettled;
      if (row.at !== null) before = { databaseSeconds: row.at, sentAt };
      if (row.stepped !== null) logStep(log, row.stepped);
    }
  };
  for (let tries = 1; ; tries++) {
    try {
      await untilFree(log, "the sessions", tick);
      break;
    } catch (error) {
      // A host that has just booted is slow at first.
      if (tries === FIRST_TRIES || error instanceof OperatorError) throw error;
    }
  }
  let underWay = false;
  const timer = setInterval(() => {
    if (underWay || isShut()) return;
    underWay = true;
    tick()
      .catch((err) => log.debug({ err }, "no tick"))
      .finally(() => {
        underWay = false;
      });
  }, TICK_MS);
  return { stop: () => clearInterval(timer) };
}

interface TickRow {
  /** The database's clock; null: another process was ticking. */
  at: number | null;
  /** By how many seconds the clock jumped, if this tick detected it. */
  stepped: number | null;
  /** After a jump back, more sessions must be redated than one tick does. */
  unsettled: boolean;
}

/** `expectedSeconds`: what the database's clock should read by now, as far as this process knows. */
async function serveTick(database: Database, expectedSeconds: number | undefined): Promise<TickRow> {
  const [row] = await database.heartbeats.query(
    (sql) => sql<TickRow[]>`
      SELECT extract(epoch FROM at)::float8 AS at, stepped_seconds AS stepped, unsettled
      FROM serve_tick(to_timestamp(${expectedSeconds ?? null}::float8))`,
  );
  return row as TickRow;
}

/** How often the database's clock was seen to jump, and how far the last time (back: below 0). */
export async function readClockSteps(database: Database): Promise<{ count: number; lastSeconds: number }> {
  const [row] = await database.background.query(
    (sql) => sql<Array<{ count: number; lastSeconds: number }>>`
      SELECT clock_steps::int AS count, coalesce(clock_stepped_seconds, 0) AS "lastSeconds" FROM service_state`,
  );
  return row as { count: number; lastSeconds: number };
}

function logStep(log: Logger, stepped: number): void {
  const seconds = Math.round(Math.abs(stepped) * 10) / 10;
  if (stepped < 0)
    log.warn({ seconds }, "the database's clock went back; whoever was live has a full timeout from now");
  else
    log.warn(
      { seconds },
      "the database's clock went ahead, or this host slept; whoever was live has a full timeout from now",
    );
}
