/** The log of a session: every change once, in its order, page by page; and what has happened in it. */
import { describe, expect, it } from "vitest";
import { useApp } from "../../support/app.ts";
import { useDatabase } from "../../support/database.ts";
import { age, gameApi, makeMatch, newPlayer, outcome } from "./support/game.ts";

const db = useDatabase();
const app = useApp(db);
const api = gameApi(app);

/** A session with so many entries. */
async function sessionWith(entries: number, player: string): Promise<string> {
  const id = await api.make(player);
  await db.sql`
    INSERT INTO game_log_entries (session, id, at, event, data)
    SELECT s.number, n, s.created_at, 'updated', jsonb_build_object('n', n)
    FROM game_sessions s, generate_series(2, ${entries}) n WHERE s.session_id = ${id}`;
  await db.sql`UPDATE game_sessions SET last_entry = ${entries} WHERE session_id = ${id}`;
  return id;
}
interface Entry {
  event_type: string;
  data?: { n: number };
}
const numbers = (logs: Entry[]) => logs.map(({ data }) => data?.n ?? 1);
const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, n) => from + n);

describe("a session's log", () => {
  it("has every change as one entry, without a null, only where it is asked for", async () => {
    const player = newPlayer();
    const id = await api.make(player);
    await api.update(id, player, { status: "paused" });
    await api.update(id, player, { status: "paused" });
    await api.update(id, player, { status: "active", metadata: { a: null } });
    await age(db, id, 100_000);
    const { body, headers } = await api.details(id, player, "include_logs=true");
    expect(body).toEqual({ ...(await api.read(id, player)).body, logs: body.logs });
    expect(headers.get("etag")).toBe('"4"');
    expect(body.logs).toEqual([
      { timestamp: expect.stringMatching(/\.\d{3}Z$/), event_type: "created" },
      { timestamp: expect.any(String), event_type: "paused" },
      { timestamp: expect.any(String), event_type: "resumed", data: { replaced: ["metadata"] } },
      {
        timestamp: body.ended_at,
        event_type: "terminated",
        message: "no call for 24 hours",
        data: { ended_reason: "silence" },
      },
    ]);
    expect(Object.keys((await api.details(id, player, "include_logs=false")).body)).not.toContain("logs");
    expect((await api.logs(id, player)).body).toEqual({ logs: body.logs });
    expect(outcome(await api.details(id, player, "include_logs=yes"))).toBe("400 invalid_request");
  });

  it("is shown with its last hundred entries, and a cursor for those before", async () => {
    const player = newPlayer();
    const exact = await sessionWith(100, player);
    const { body: whole } = await api.details(exact, player, "include_logs=true");
    expect([numbers(whole.logs), whole.logs_cursor]).toEqual([range(1, 100), undefined]);
    const long = await sessionWith(250, player);
    const { body } = await api.details(long, player, "include_logs=true");
    expect(numbers(body.logs)).toEqual(range(151, 250));
    const before = (await api.logs(long, player, `cursor=${body.logs_cursor}`)).body;
    expect(numbers(before.logs)).toEqual(range(51, 150));
    const first = (await api.logs(long, player, `limit=1000&cursor=${before.next_cursor}`)).body;
    expect([numbers(first.logs), first.next_cursor]).toEqual([range(1, 50), undefined]);
    expect(first.logs[0].event_type).toBe("created");
  });

  it("is the same page by page whatever is added meanwhile", async () => {
    const player = newPlayer();
    const id = await sessionWith(37, player);
    const seen: number[][] = [];
    for (let cursor: string | undefined = ""; cursor !== undefined; ) {
      const { body } = await api.logs(id, player, `limit=5${cursor && `&cursor=${cursor}`}`);
      seen.unshift(numbers(body.logs));
      cursor = body.next_cursor;
      await api.update(id, player, { metadata: {} });
    }
    expect(seen.flat()).toEqual(range(1, 37));
  });

  it("keeps the last 10,000 entries, and its ids go on", async () => {
    const player = newPlayer();
    const id = await sessionWith(10_099, player);
    await api.update(id, player, { status: "paused" });
    const [row] = await db.sql`
      SELECT count(*)::int AS n, min(e.id) AS first, max(e.id) AS last FROM game_log_entries e
      JOIN game_sessions s ON s.number = e.session WHERE s.session_id = ${id}`;
    expect(row).toEqual({ n: 10_000, first: 101, last: 10_100 });
    const { body } = await api.logs(id, player, "limit=1000&cursor=150");
    expect([numbers(body.logs), body.next_cursor]).toEqual([range(101, 149), undefined]);
  });

  it("is read by who may read the session, and a wrong page is refused", async () => {
    const [player, guest, stranger] = [newPlayer(), newPlayer(), newPlayer()];
    const id = await makeMatch(api, player, [guest]);
    expect(outcome(await api.logs(id, guest))).toBe("200");
    expect(outcome(await api.logs(id, "service"))).toBe("200");
    expect(outcome(await api.logs(id, stranger))).toBe("404 session_not_found");
    for (const wrong of ["limit=0", "limit=1001", "cursor=x", "cursor=-1", "limit=1.5"]) {
      expect([wrong, outcome(await api.logs(id, player, wrong))]).toEqual([wrong, "400 invalid_request"]);
    }
  });
});

describe("what has happened in a session", () => {
  it("is counted by its log, and in a match by its events, its refused actions and its actions a minute", async () => {
    const player = newPlayer();
    const id = await api.make(player);
    await api.update(id, player, { metadata: {} });
    const { stats, logs } = (await api.details(id, player, "include_stats=true")).body;
    expect(logs).toBe(undefined);
    expect(stats).toEqual({
      duration_seconds: expect.any(Number),
      events_count: 2,
      errors_count: 0,
      performance_metrics: { actions_per_minute: 0 },
    });
    const match = await makeMatch(api, player);
    await db.sql`
      UPDATE game_combats SET last_sequence = 12, refused_actions = 3, total_actions = 9
      WHERE session = (SELECT number FROM game_sessions WHERE session_id = ${match})`;
    await api.terminate(match, player);
    await db.sql`
      UPDATE game_sessions SET created_at = ended_at - interval '90 seconds', paused_ms = 60000 WHERE session_id = ${match}`;
    const { body } = await api.details(match, player, "include_stats=true&include_logs=true");
    expect(body.logs).toHaveLength(2);
    expect(body.stats).toEqual({
      duration_seconds: 30,
      events_count: 13, // its end too
      errors_count: 3,
      performance_metrics: { actions_per_minute: 18 },
    });
  });
});
