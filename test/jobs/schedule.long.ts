/** The cleanup by the clock, in a real server process, and the rules of the clock's table. */
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { type Jobs, scheduleJobs } from "../../src/jobs/schedule.ts";
import { createLog } from "../../src/log.ts";
import { cloneDatabase, type TestDatabase } from "../support/database.ts";
import { keybeat, type RunningServer, startServer } from "../support/process.ts";
import { newSessionId } from "../support/secrets.ts";

const EVERY_SECOND = "* * * * * *";

/** A server on a new database; both are removed afterwards, whatever happens. */
async function withServer(
  env: Record<string, string>,
  run: (server: RunningServer, db: TestDatabase) => Promise<void>,
): Promise<void> {
  const db = await cloneDatabase();
  let server: RunningServer | undefined;
  try {
    server = await startServer({ DATABASE_URL: db.url, ...env });
    await run(server, db);
    expect(await server.stop()).toBe(0);
  } finally {
    server?.child.kill("SIGKILL");
    await db.drop();
  }
}

async function addSilentSession(db: TestDatabase): Promise<void> {
  const { id } = await db.makeKey();
  await db.sql`
    INSERT INTO active_sessions (key_id, access_key, session_id, generation, started_at, last_heartbeat)
    VALUES (${id}, 'seeded00…', ${newSessionId()}, 1, now() - interval '2 minutes', now() - interval '61 s')`;
}

const isClean = async (db: TestDatabase) => (await db.sql`SELECT FROM active_sessions`).length === 0;

/** Gives up before the test's own time is over, so that what the test has started is ended all the same. */
async function waitUntil(condition: () => boolean | Promise<boolean>): Promise<void> {
  const giveUpAt = performance.now() + 25_000;
  while (!(await condition())) {
    if (performance.now() > giveUpAt) throw new Error(`still not so: ${condition}`);
    await sleep(50);
  }
}

describe.concurrent("CLEANUP_CRON", () => {
  it("runs the cleanup in the server, again and again, and the log says what it did", async () => {
    await withServer({ CLEANUP_CRON: EVERY_SECOND }, async (server, db) => {
      for (let round = 1; round <= 2; round++) {
        await addSilentSession(db);
        await waitUntil(() => isClean(db));
        await waitUntil(() => server.output().split("cleanup finished").length > round);
      }
      expect(server.output().split("expired session cleaned up")).toHaveLength(3);
    });
  });

  it("empty: no cleanup in this process, while one that is not told otherwise cleans within 10 s; a host's cron still can", async () => {
    await withServer({ CLEANUP_CRON: "" }, async (server, db) => {
      await addSilentSession(db);
      await withServer({}, async (_other, otherDb) => {
        await addSilentSession(otherDb);
        await waitUntil(() => isClean(otherDb));
        await addSilentSession(otherDb);
        await waitUntil(() => isClean(otherDb));
      });
      expect(await isClean(db)).toBe(false);
      expect(server.output()).not.toContain("cleanup");
      const { code, stdout } = await keybeat(["cleanup", "--json"], { DATABASE_URL: db.url });
      expect([code, JSON.parse(stdout)]).toEqual([0, { deleted: 1, remaining: 0 }]);
      expect(await isClean(db)).toBe(true);
    });
  });

  it("after runs that failed: the log says so, and the next one does the work", async () => {
    await withServer({ CLEANUP_CRON: EVERY_SECOND }, async (server, db) => {
      await db.sql`ALTER FUNCTION expire_sessions(tid, tid, integer) RENAME TO elsewhere`;
      await addSilentSession(db);
      await waitUntil(() => server.output().split("the job failed").length > 2);
      expect(await isClean(db)).toBe(false);
      expect((await server.get("/health")).status).toBe(200);
      await db.sql`ALTER FUNCTION elsewhere(tid, tid, integer) RENAME TO expire_sessions`;
      await waitUntil(() => isClean(db));
    });
  });
});

describe.concurrent("the table of jobs", () => {
  const silent = createLog("silent");

  it("goes on after a run that throws, and after one that rejects", async () => {
    let runs = 0;
    const log: string[] = [];
    const jobs = scheduleJobs(
      [
        {
          name: "moody",
          line: EVERY_SECOND,
          run() {
            runs++;
            if (runs === 1) throw new Error("thrown at once");
            return runs === 2 ? Promise.reject(new Error("rejected")) : Promise.resolve();
          },
        },
      ],
      createLog("info", { write: (line: string) => log.push(line) }),
    );
    try {
      await waitUntil(() => runs >= 3);
      expect(log.map((line) => JSON.parse(line))).toMatchObject([
        { level: 50, msg: "the job failed", job: "moody", err: { message: "thrown at once" } },
        { level: 50, msg: "the job failed", job: "moody", err: { message: "rejected" } },
      ]);
    } finally {
      await jobs.stop();
    }
  });

  it("never runs a job beside itself, however long it takes", async () => {
    let [beside, most, runs] = [0, 0, 0];
    const run = async () => {
      runs++;
      beside++;
      most = Math.max(most, beside);
      await sleep(1500);
      beside--;
    };
    const jobs = scheduleJobs([{ name: "slow", line: EVERY_SECOND, run }], silent);
    try {
      await waitUntil(() => runs >= 3);
      expect(most).toBe(1);
    } finally {
      await jobs.stop();
    }
  });

  it("a slow job does not keep another from running", async () => {
    let quick = 0;
    let finish = () => {};
    const slow = new Promise<void>((resolve) => {
      finish = resolve;
    });
    let jobs: Jobs | undefined;
    try {
      jobs = scheduleJobs(
        [
          { name: "slow", line: EVERY_SECOND, run: () => slow },
          { name: "quick", line: EVERY_SECOND, run: async () => quick++ },
        ],
        silent,
      );
      await waitUntil(() => quick >= 2);
    } finally {
      finish();
      await jobs?.stop();
    }
  });

  it("stop waits for the run under way and starts no other", async () => {
    let [started, finished] = [0, 0];
    const run = async () => {
      started++;
      await sleep(700);
      finished++;
    };
    const jobs = scheduleJobs([{ name: "slow", line: EVERY_SECOND, run }], silent);
    await waitUntil(() => started > 0);
    await jobs.stop();
    expect([started, finished]).toEqual([1, 1]);
    await sleep(2100);
    expect(started).toBe(1);
  });
});
