/** The cleanup only tidies (G5): frozen, tripled or absent, it changes no answer. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import type postgres from "postgres";
import type { Fault } from "../fault.ts";
import type { Call } from "../load/call.ts";
import { countUnknown, p99Ms } from "../scene/measure.ts";
import { type Scene, underLoad } from "../scene/scene.ts";
import { PROGRAM } from "../scene/server.ts";

const P99_MS_MAX = 1_000;
/** Silent sessions of other keys, in enough batches to catch a cleanup midway. */
const SILENT_SESSIONS = 20_000;
/** In the first batch of 5000, which has begun with whatever else is silent. */
const STUCK_AT = 2_500;

const cleanupFrozen: Fault = {
  name: "cleanup-frozen",
  breaks: "a cleanup is frozen (SIGSTOP) in the middle of a batch, its transaction open",
  run: (room) =>
    underLoad(room, { env: () => ({ CLEANUP_CRON: "" }) }, async (scene) => {
      await seedSilent(scene);
      await scene.wait(scene.circumstances.timeoutMs / 1000); // some of the load's sessions have expired too
      const other = scene.postgres.connect();
      await makeStuck(other);
      const cleanup = startCleanup(scene);
      try {
        await untilStuck(scene);
        cleanup.kill("SIGSTOP");
        const from = performance.now();
        await scene.wait(room.short ? 4 : 10);
        const during = scene.load.calls.filter((call) => call.sentAt >= from);
        await other`ROLLBACK`;
        cleanup.kill("SIGCONT");
        const [code] = await once(cleanup, "exit");
        const p99 = Math.round(p99Ms(during));
        const figure =
          `p99 ${p99} ms beside it, ${expiries(during)} expiries told meanwhile, ${countUnknown(during)} calls of those ` +
          `that it held told to come again; thawed, it ended with ${code}`;
        return { figure, violations: p99 <= P99_MS_MAX ? [] : [`p99 was ${p99} ms`] };
      } finally {
        cleanup.kill("SIGKILL");
        await other.end({ timeout: 1 });
      }
    }),
};

const cleanupTripled: Fault = {
  name: "cleanup-tripled",
  breaks: "both servers clean up every second, and the host's cron beside them",
  run: (room) =>
    underLoad(room, { env: () => ({ CLEANUP_CRON: "* * * * * *" }) }, async (scene) => {
      await seedSilent(scene);
      const codes: number[] = [];
      const until = performance.now() + (room.short ? 4_000 : 10_000);
      do {
        const [code] = await once(startCleanup(scene), "exit");
        codes.push(code);
      } while (performance.now() < until);
      const wrong = codes.filter((code) => code !== 0).map((code) => `a cleanup ended with ${code}`);
      const left = await countSeeded(scene);
      const figure = `${codes.length} cleanups by the host beside theirs, ${left.ended} old sessions ended once each`;
      return { figure, violations: [...wrong, ...left.violations] };
    }),
};

const cleanupAbsent: Fault = {
  name: "cleanup-absent",
  breaks: "nobody cleans up",
  run: (room) =>
    underLoad(room, { env: () => ({ CLEANUP_CRON: "" }) }, async (scene) => {
      await scene.wait(room.short ? 5 : 12);
      return { figure: `${expiries(scene.load.calls)} expiries told all the same` };
    }),
};

const expiries = (calls: readonly Call[]): number =>
  new Set(
    calls.filter(({ answer }) => answer.is === "ended" && answer.reason === "expired").map((call) => call.sessionId),
  ).size;

async function seedSilent({ postgres }: Scene): Promise<void> {
  await postgres.sql`
    WITH fresh AS (
      INSERT INTO keys (key_hash, key_prefix)
      SELECT sha256(('seeded' || n)::bytea), 'seeded00' FROM generate_series(1, ${SILENT_SESSIONS}::int) n RETURNING id
    )
    INSERT INTO active_sessions (key_id, access_key, session_id, generation, started_at, last_heartbeat)
    SELECT id, 'seeded00…', 'seeded-' || id, 1, at, at
    FROM fresh, (SELECT clock_timestamp() - interval '1 hour' AS at) silent`;
}

async function countSeeded({ postgres }: Scene): Promise<{ ended: number; violations: string[] }> {
  const [row] = await postgres.sql`
    SELECT count(*)::int AS rows, count(DISTINCT session_id)::int AS sessions FROM (
      SELECT session_id FROM active_sessions UNION ALL SELECT session_id FROM session_history) s
    WHERE starts_with(session_id, 'seeded-')`;
  const once = row?.rows === SILENT_SESSIONS && row?.sessions === SILENT_SESSIONS;
  const [ended] =
    await postgres.sql`SELECT count(*)::int AS n FROM session_history WHERE starts_with(session_id, 'seeded-')`;
  return {
    ended: ended?.n,
    violations: once ? [] : [`of ${SILENT_SESSIONS} old sessions there are ${row?.rows} rows`],
  };
}

/** `keybeat cleanup`, as the host's cron runs it. */
function startCleanup({ postgres }: Scene): ChildProcess {
  const env = { PATH: process.env.PATH, DATABASE_URL: postgres.url };
  return spawn(process.execPath, [PROGRAM, "cleanup"], { env, stdio: "ignore", detached: true });
}

/** An ending of one of the silent sessions, written and not committed: a cleanup that comes to it waits there. */
async function makeStuck(other: postgres.Sql): Promise<void> {
  await other`BEGIN`;
  await other`
    INSERT INTO session_history
    SELECT key_id, access_key, 'another', generation, started_at, last_heartbeat, session_deadline(last_heartbeat), 'expired'
    FROM active_sessions WHERE starts_with(session_id, 'seeded-') ORDER BY key_id OFFSET ${STUCK_AT} LIMIT 1`;
}

async function untilStuck({ postgres, wait }: Scene): Promise<void> {
  for (let tries = 0; tries < 500; tries++) {
    const stuck = await postgres.sql`
      SELECT FROM pg_stat_activity WHERE query LIKE '%expire_sessions%' AND cardinality(pg_blocking_pids(pid)) > 0`;
    if (stuck.length > 0) return;
    await wait(0.02);
  }
  throw new Error("the cleanup never came to the row that it should wait for");
}

export const cleanupFaults: Fault[] = [cleanupFrozen, cleanupTripled, cleanupAbsent];
