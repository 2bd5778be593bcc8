/**
 * Races, run by several processes of the program on one database. Each proves a guarantee of all interleavings by what is
 * true afterwards in all of them; none relies on when anything happens.
 */
import { describe, expect, it, vi } from "vitest";
import { useDatabase } from "../../support/database.ts";
import { newSessionId } from "../../support/secrets.ts";
import { findChainFaults, maskSessionId } from "./support/chain.ts";
import { type Answer, play, rush, startSurely, times, untilServed, useRacingProgram } from "./support/races-program.ts";

// Thousands of requests: on a busy machine they take their time.
vi.setConfig({ testTimeout: 240_000 });

const db = useDatabase();
const program = useRacingProgram(db);
const { ask, start } = program;

const bodies = (answers: Answer[]) => answers.map((answer) => answer.body);

const shuffle = <T>(all: T[]): T[] =>
  all
    .map((one) => ({ one, at: Math.random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ one }) => one);

/** Keys with a live session each. */
async function holdKeys(count: number): Promise<Array<{ key: string; id: number; session_id: string }>> {
  const held: Array<{ key: string; id: number; session_id: string }> = [];
  await play({ count, atOnce: 20 }, async () => {
    const { key, id } = await db.makeKey();
    const { body } = await start(key);
    held.push({ key, id, session_id: body.session_id });
  });
  return held;
}

const liveIds = async (keyId: number): Promise<string[]> => {
  const rows = await db.sql`SELECT session_id FROM active_sessions WHERE key_id = ${keyId}`;
  return rows.map((row) => row.session_id);
};

describe("simultaneous starts", () => {
  it("300 of one key leave one live session, and their answers form one chain without a gap or a fork", async () => {
    const { key, id } = await db.makeKey();
    const starts = await times(300, () => startSurely(program, db, key));
    const links = await Promise.all(starts.map((readReplaced) => readReplaced()));
    expect(findChainFaults(links)).toEqual([]);
    const chain = links.toSorted((a, b) => a.generation - b.generation);
    expect(await liveIds(id)).toEqual([chain.at(-1)?.session_id]);
    const history = await db.sql`
      SELECT session_id, reason, replaced_by_generation AS by FROM session_history WHERE key_id = ${id}
      ORDER BY generation`;
    expect(history.map(({ session_id, reason, by }) => ({ session_id, reason, by }))).toEqual(
      chain.slice(0, -1).map(({ session_id }, i) => ({ session_id, reason: "replaced", by: chain[i + 1]?.generation })),
    );
  });

  it("five of each of 200 fresh keys leave one live session and one chain a key", async () => {
    await play({ count: 200, atOnce: 20 }, async () => {
      const { key, id } = await db.makeKey();
      const replies = bodies(await times(5, () => start(key)));
      expect(findChainFaults(replies)).toEqual([]);
      const last = replies.reduce((a, b) => (a.generation > b.generation ? a : b));
      expect(await liveIds(id)).toEqual([last.session_id]);
    });
  });

  it("20 retries of one start on a fresh key are one session of one generation", async () => {
    await play({ count: 20, atOnce: 2 }, async () => {
      const { key, id } = await db.makeKey();
      const session_id = newSessionId();
      const replies = bodies(await times(20, () => start(key, session_id)));
      expect(replies.filter((reply) => !reply.resumed)).toHaveLength(1);
      expect(new Set(replies.map((reply) => reply.generation)).size).toBe(1);
      expect(replies.every((reply) => reply.success && reply.previous_session === null)).toBe(true);
      expect(await liveIds(id)).toEqual([session_id]);
    });
  });

  it("of one session id on two keys exactly one wins, and the other is told that the id is used", async () => {
    await play({ count: 100, atOnce: 10 }, async () => {
      const keys = [await db.makeKey(), await db.makeKey()] as const;
      const session_id = newSessionId();
      const replies = await Promise.all(keys.map(({ key }) => start(key, session_id)));
      expect(replies.map((reply) => reply.body.code ?? reply.status).sort()).toEqual([200, "session_id_used"]);
      const live = [...(await liveIds(keys[0].id)), ...(await liveIds(keys[1].id))];
      expect(live).toEqual([session_id]);
    });
  });
});

describe("endings that race", () => {
  it("no session of a key is live once its revocation has committed, however many devices keep starting", async () => {
    await play({ count: 25, atOnce: 5 }, async () => {
      const { key, id } = await db.makeKey();
      const started = bodies([await start(key)]);
      const startUntilRefused = async (): Promise<Answer> => {
        for (;;) {
          const reply = await start(key);
          if (reply.status !== 200) return reply;
          started.push(reply.body);
        }
      };
      const devices = times(4, startUntilRefused);
      while (started.length < 5) await Promise.race([devices, db.sql`SELECT pg_sleep(0.001)`]);
      await db.sql`SELECT revoke_key(${id}, NULL)`;
      expect(await liveIds(id)).toEqual([]);
      expect((await devices).map((refusal) => refusal.body.code)).toEqual(Array(4).fill("key_revoked"));
      expect(await liveIds(id)).toEqual([]);
      expect(findChainFaults(started)).toEqual([]);
      const reasons = await db.sql`SELECT reason FROM session_history WHERE key_id = ${id} ORDER BY generation`;
      expect(reasons.map((row) => row.reason)).toEqual([...started.slice(1).map(() => "replaced"), "revoked"]);
    });
  });

  it("an end that races with a takeover ends its own session or nothing, never the successor", async () => {
    await play({ count: 200, atOnce: 10 }, async () => {
      const { key, id } = await db.makeKey();
      const first = (await start(key)).body.session_id;
      const [endA, takeover, endB] = await Promise.all([
        ask("end", { session_id: first }),
        start(key),
        ask("end", { session_id: first }),
      ]);
      const ended = [endA, endB].filter((reply) => reply.body.success).length;
      const [row] = await db.sql`SELECT reason FROM session_history WHERE key_id = ${id}`;
      const previous = takeover.body.previous_session?.session_id;
      expect([ended, row?.reason, previous]).toEqual(
        ended === 1 ? [1, "ended", undefined] : [0, "replaced", maskSessionId(first)],
      );
      expect((await ask("heartbeat", { session_id: takeover.body.session_id })).status).toBe(200);
    });
  });

  it("each of 200 sessions is in the history exactly once after ends, heartbeats and cleanups at the same time", async () => {
    await play({ count: 1, atOnce: 1 }, async () => {
      const held = await holdKeys(200);
      const silent = new Set(held.filter((_, i) => i % 2 === 0).map(({ session_id }) => session_id));
      for (const { id, session_id } of held) if (silent.has(session_id)) await db.age(id, 120);
      const endings = new Map<string, number>();
      const endOnce = async (session_id: string) => {
        const { body } = await ask("end", { session_id });
        if (body.success) endings.set(session_id, (endings.get(session_id) ?? 0) + 1);
      };
      const beatOnce = async (session_id: string) => {
        const { status, body } = await ask("heartbeat", { session_id });
        if (silent.has(session_id)) expect(body.code).toBe("session_expired");
        else expect([200, "session_ended"]).toContain(body.code ?? status);
      };
      const ids = held.map(({ session_id }) => session_id);
      const cleanUp = async () => void (await db.sql`SELECT expire_sessions('(0,0)', '(4294967295,0)', 9)`);
      const calls = ids.flatMap((id) => [endOnce, beatOnce, beatOnce, endOnce].map((call) => () => call(id)));
      await rush(shuffle([...calls, ...Array(30).fill(cleanUp)]), 150);
      await db.sql`SELECT expire_sessions('(0,0)', '(4294967295,0)', 1000)`;
      const keyIds = held.map(({ id }) => id).join(",");
      const history = await db.sql`
        SELECT session_id, reason FROM session_history WHERE key_id = ANY (string_to_array(${keyIds}, ',')::bigint[])`;
      const seen = history.map((row) => `${row.session_id} ${row.reason} ${endings.get(row.session_id) ?? 0}`);
      expect(seen.sort()).toEqual(ids.map((id) => (silent.has(id) ? `${id} expired 0` : `${id} ended 1`)).sort());
    });
  });
});

describe("heartbeats that race", () => {
  it("in 100 takeovers none of the replaced device is accepted after the takeover, and all of the new one are", async () => {
    await play({ count: 100, atOnce: 5 }, async () => {
      const { key } = await db.makeKey();
      const [first, second] = [newSessionId(), newSessionId()];
      await start(key, first);
      let takenOver = false;
      const beats = new Map<string, Array<{ after: boolean; reply: Answer }>>([first, second].map((id) => [id, []]));
      const keepBeating = async (session_id: string) => {
        for (let after = false; !after; ) {
          after = takenOver;
          beats.get(session_id)?.push({ after, reply: await ask("heartbeat", { session_id }) });
        }
      };
      const takeOver = async () => {
        await vi.waitUntil(() => [...beats.values()].every((answered) => answered.length > 0), 30_000);
        const { body } = await start(key, second);
        takenOver = true;
        return body;
      };
      const [takeover] = await Promise.all([takeOver(), ...[first, first, second, second].map(keepBeating)]);
      for (const { after, reply } of beats.get(first) ?? []) {
        if (reply.status === 200) expect(reply.body.server_time <= takeover.started_at && !after).toBe(true);
        else expect([reply.body.code, reply.body.ended_at]).toEqual(["session_replaced", takeover.started_at]);
      }
      for (const { after, reply } of beats.get(second) ?? []) {
        if (reply.status === 200) expect(reply.body.server_time >= takeover.started_at).toBe(true);
        else expect([reply.body.code, after]).toEqual(["session_not_found", false]);
      }
    });
  });

  it("overlapping batches over the same 500 sessions in different orders all succeed", async () => {
    const ids = (await holdKeys(500)).map(({ session_id }) => session_id);
    await play({ count: 6, atOnce: 1 }, async () => {
      const statuses = new Set<number>();
      const beat = async (session_id: string) =>
        statuses.add((await untilServed(() => ask("heartbeat", { session_id }))).status);
      await times(2, () =>
        rush(
          shuffle(ids).map((session_id) => () => beat(session_id)),
          250,
        ),
      );
      expect(statuses).toEqual(new Set([200]));
    });
    const beatAll = async () => {
      const [row] = await db.sql`SELECT beaten FROM beat_sessions(${shuffle(ids).join(",")})`;
      const beaten = new Set(row?.beaten?.split(",").map((one: string) => one.split(" ")[0]));
      const others = ids.filter((id) => !beaten.has(id));
      const looked = await db.sql`SELECT outcome FROM look_at_sessions(${others.join(",")}, true)`;
      expect(looked.map(({ outcome }) => outcome)).toEqual(others.map(() => "live"));
    };
    await times(100, beatAll);
  });
});
