/** Sessions without proof that are heard of twice as often as asked. Time is told, not waited for. */
import { describe, expect, it } from "vitest";
import { createCount, type Judged, watchForCopies } from "../../../src/sessions/device/copy-watch.ts";
import { chooseRange, keepSuspects, selectHeard } from "../../../src/sessions/device/copy-watch-sql.ts";
import { ADMIN_TOKEN, useApp } from "../../support/app.ts";
import { useDatabase } from "../../support/database.ts";
import { newProofWord } from "../../support/secrets.ts";

const LOOK_SECONDS = 3;

/** What is said of a session in so many seconds, whose beats come at these intervals. */
function hear(seconds: number, devices: Array<() => number>): Judged {
  const count = createCount(30);
  const next = devices.map((interval, at) => 1 + at * interval() * 0.45);
  const all: Judged = { suspects: [], cleared: [] };
  let heard = 0;
  for (let now = 0; now <= seconds; now += LOOK_SECONDS) {
    for (const [at, interval] of devices.entries()) {
      for (; (next[at] as number) <= now; next[at] = (next[at] as number) + interval()) {
        heard = Math.max(heard, next[at] as number);
      }
    }
    const judged = count([{ key_id: 1, generation: 7, heard }], now);
    all.suspects.push(...judged.suspects);
    all.cleared.push(...judged.cleared);
  }
  return all;
}

const asked = () => 25 + Math.random() * 5;

describe("a session that is heard of", () => {
  it("as often as asked, or less often, is never suspected", () => {
    for (let session = 0; session < 200; session++) {
      expect(hear(1_300, [asked])).toEqual({ suspects: [], cleared: [1, 1, 1, 1] });
    }
    expect(hear(1_300, [() => 25]).suspects).toEqual([]);
    expect(hear(1_300, [() => 55]).suspects).toEqual([]);
  });

  it("by two devices is, and no more once one has gone", () => {
    let suspected = 0;
    for (let session = 0; session < 200; session++) suspected += hear(305, [asked, asked]).suspects.length;
    expect(suspected).toBeGreaterThan(190);
    const until = (at: number) => {
      let beats = 0;
      return () => (++beats > at ? 1e9 : asked());
    };
    const { suspects, cleared } = hear(950, [asked, until(11)]);
    expect([suspects.length, cleared.at(-1)]).toEqual([1, 1]);
    expect(suspects[0]).toMatchObject({ key_id: 1, generation: 7 });
  });

  it("as a new one is counted anew", () => {
    const count = createCount(30);
    for (let now = 0; now <= 299; now += 10) count([{ key_id: 1, generation: 1, heard: now }], now);
    expect(count([{ key_id: 1, generation: 2, heard: 310 }], 310)).toEqual({ suspects: [], cleared: [] });
  });
});

describe("what operators see", () => {
  const db = useDatabase();
  const app = useApp(db);
  const shown = async () => {
    const { body } = await app.get("/api/admin/sessions", { Authorization: `Bearer ${ADMIN_TOKEN}` });
    return body.items.map((item: { may_be_copied: boolean }) => item.may_be_copied);
  };
  const beat = async (session_id: string) => (await app.post("/api/session/heartbeat", { session_id })).status;

  it("is who may be copied, from rows that every process beats, until it is over or started anew", async () => {
    const { key, id } = await db.makeKey();
    const { body } = await app.post("/api/session/start", { access_key: key });
    const count = createCount(30);
    const look = async (now: number) => keepSuspects(db.database, count(await selectHeard(db.database, 0, 10), now));
    for (let now = 0; now <= 315; now += 15) {
      await look(now);
      expect(await beat(body.session_id)).toBe(200);
    }
    expect(await shown()).toEqual([true]);
    for (let now = 330; now <= 660; now += 30) {
      await look(now);
      expect(await beat(body.session_id)).toBe(200);
    }
    expect(await shown()).toEqual([false]);
    const [row] = await db.sql`SELECT generation FROM active_sessions WHERE key_id = ${id}`;
    const suspects = [{ key_id: id, generation: row?.generation, times: 2 }];
    await keepSuspects(db.database, { suspects, cleared: [] });
    expect(await shown()).toEqual([true]);
    await app.post("/api/session/start", { access_key: key });
    expect(await shown()).toEqual([false]);
    await keepSuspects(db.database, { suspects: [], cleared: [] });
    expect(await db.sql`SELECT FROM suspected_copies`).toHaveLength(0);
  });

  it("is looked for by the clock, never among sessions with proof", async () => {
    const { key } = await db.makeKey();
    const proof = { instance: newProofWord(), number: 0, beat_id: newProofWord() };
    await app.post("/api/session/start", { access_key: key, proof });
    await db.sql`DELETE FROM active_sessions WHERE proof_instance IS NULL`;
    expect(await selectHeard(db.database, 0, 10)).toEqual([]);
    const { everyMs, run } = watchForCopies(db.database, 30);
    expect(everyMs).toBe(3_000);
    await run();
    const [row] = await db.sql`SELECT max(key_id) AS last FROM active_sessions`;
    expect(await chooseRange(db.database, 10)).toBe(0);
    expect(await chooseRange(db.database, 0)).toBeLessThan(row?.last);
  });
});
