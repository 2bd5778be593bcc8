/** A cleanup that dies in the middle leaves nothing half done. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { beforeEach, describe, expect, it } from "vitest";
import { createLog } from "../../src/log.ts";
import { runCleanup } from "../support/cleanup.ts";
import { useDatabase } from "../support/database.ts";
import { keybeat } from "../support/process.ts";
import { newSessionId } from "../support/secrets.ts";

const SESSIONS = 12_000;
/** The row at which the cleanup gets stuck: in the middle of its fourth batch of 2500. */
const STUCK_AT = 8500;
/** How many it has done then. */
const BEFORE = 7500;

const db = useDatabase();

beforeEach(async () => {
  await db.sql`TRUNCATE active_sessions, session_history`;
  await db.sql`
    WITH fresh AS (
      INSERT INTO keys (key_hash, key_prefix)
      SELECT sha256((random()::text || n)::bytea), 'seeded00' FROM generate_series(1, ${SESSIONS}) n RETURNING id
    )
    INSERT INTO active_sessions (key_id, access_key, session_id, generation, started_at, last_heartbeat)
    SELECT id, 'seeded00…', left(md5(id::text), 8) || ${newSessionId().slice(8)} || id, id, at, at
    FROM fresh, (SELECT clock_timestamp() - interval '61 s' AS at) silent ORDER BY id`;
});

/** Every session is in exactly one place. Returns how many are in the history. */
async function expectNothingHalfDone(): Promise<number> {
  const [row] = await db.sql`
    SELECT count(*) AS all, count(DISTINCT session_id) AS distinct, count(*) FILTER (WHERE ended) AS ended
    FROM (SELECT session_id, false AS ended FROM active_sessions UNION ALL SELECT session_id, true FROM session_history) s`;
  expect([row?.all, row?.distinct]).toEqual([SESSIONS, SESSIONS]);
  return row?.ended;
}

/**
 * Makes the cleanup wait in the middle of a batch, by an ending of one of its sessions that is written and not yet
 * committed; runs `kill` when it waits there, then takes that ending back.
 */
async function whileStuck(run: () => Promise<unknown>, kill: (backend: number) => Promise<void>): Promise<void> {
  let running: Promise<unknown> | undefined;
  const undone = db.sql.begin(async (other) => {
    await other`
      INSERT INTO session_history
      SELECT key_id, access_key, 'another', generation, started_at, last_heartbeat, last_heartbeat + interval '60 s', 'expired'
      FROM active_sessions ORDER BY key_id OFFSET ${STUCK_AT} LIMIT 1`;
    running = run();
    const [own] = await other`SELECT pg_backend_pid() AS pid`;
    await kill(await findStuck(own?.pid));
    throw new Error("taken back");
  });
  await expect(undone).rejects.toThrow("taken back");
  await running;
}

/** The backend that waits for the given one. */
async function findStuck(holder: number): Promise<number> {
  for (let tries = 0; tries < 1000; tries++) {
    const [stuck] = await db.sql`SELECT pid FROM pg_stat_activity WHERE ${holder} = ANY (pg_blocking_pids(pid))`;
    if (stuck) return stuck.pid;
    await sleep(20);
  }
  throw new Error("the cleanup never came to the row that it should wait for");
}

async function waitUntilGone(backend: number): Promise<void> {
  for (let tries = 0; tries < 1000; tries++) {
    if ((await db.sql`SELECT FROM pg_stat_activity WHERE pid = ${backend}`).length === 0) return;
    await sleep(20);
  }
  throw new Error("the backend is still there");
}

const runHere = () =>
  runCleanup(db.database, createLog("silent"), { historyRetentionDays: 90, budgetMs: 20_000, asked: true });

describe("a cleanup that is killed in the middle of a batch", () => {
  it("by the database: the batches before are done, this one is not, and the next run does the rest", async () => {
    await whileStuck(
      () => expect(runHere()).rejects.toMatchObject({ code: "unavailable" }),
      async (backend) => {
        await db.sql`SELECT pg_terminate_backend(${backend})`;
        await waitUntilGone(backend);
      },
    );
    expect(await expectNothingHalfDone()).toBe(BEFORE);
    expect((await runHere()).deleted).toBe(SESSIONS - BEFORE);
    expect(await expectNothingHalfDone()).toBe(SESSIONS);
  });

  it("by SIGKILL to `keybeat cleanup`: its batch is done whole or not at all, and the next run does the rest", async () => {
    const env = { PATH: process.env.PATH, DATABASE_URL: db.url };
    const child = spawn(process.execPath, ["dist/src/cli/keybeat.js", "cleanup"], { env, stdio: "ignore" });
    const gone = once(child, "exit");
    let orphan = 0;
    try {
      await whileStuck(
        () => gone,
        async (backend) => {
          orphan = backend;
          child.kill("SIGKILL");
          expect(await gone).toEqual([null, "SIGKILL"]);
          expect(await expectNothingHalfDone()).toBe(BEFORE);
        },
      );
    } finally {
      child.kill("SIGKILL");
    }
    await waitUntilGone(orphan);
    expect([BEFORE, BEFORE + 2500]).toContain(await expectNothingHalfDone());

    const next = await keybeat(["cleanup", "--json"], { DATABASE_URL: db.url });
    expect(next.code).toBe(0);
    expect(JSON.parse(next.stdout)).toMatchObject({ remaining: 0 });
    expect(await expectNothingHalfDone()).toBe(SESSIONS);
  });
});
