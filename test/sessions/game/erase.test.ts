/** DELETE /api/admin/players/{id}: nothing is left of the player in any table, and others' matches stay whole. */
import { describe, expect, it } from "vitest";
import { byToken } from "../../admin/support/admin.ts";
import { useApp } from "../../support/app.ts";
import { useDatabase } from "../../support/database.ts";
import { findIn } from "../../support/find-in.ts";
import { gameApi, makeMatch, newPlayer, outcome } from "./support/game.ts";

const db = useDatabase();
const app = useApp(db);
const api = gameApi(app);

const erase = async (player: string) => outcome(await byToken(app).send("DELETE", `/players/${player}`));
const find = (...words: string[]) => findIn(db, words);

/** A hit of one player at another, as it is stored. */
async function addHit(
  match: string,
  sequence: number,
  [from, at]: [string, string],
  parameters: object,
): Promise<void> {
  await db.sql`
    INSERT INTO game_events (session, sequence, at, event, player_id, action_type, target_id, action_id, request_hash, data)
    SELECT s.number, ${sequence}, s.created_at, 'action', ${from}, 'attack', ${at}, gen_random_uuid(), '\\x01',
           ${db.sql.json({ damage_dealt: 10, parameters, near: [at.toUpperCase()] } as never)}
    FROM game_sessions s WHERE s.session_id = ${match}`;
  await db.sql`
    UPDATE game_combats SET last_sequence = ${sequence}, total_actions = total_actions + 1
    WHERE session = (SELECT number FROM game_sessions WHERE session_id = ${match})`;
}

/** All that is stored of a match, in an order that does not depend on ids. */
async function contentsOf(match: string): Promise<string> {
  const [row] = await db.sql`
    SELECT to_jsonb(s) - 'number' AS session, to_jsonb(c) - 'session' AS combat,
      (SELECT jsonb_agg(to_jsonb(p) - 'session' ORDER BY p.place) FROM game_participants p WHERE p.session = s.number) AS participants,
      (SELECT jsonb_agg(to_jsonb(e) - 'session' - 'request_hash' ORDER BY e.sequence) FROM game_events e WHERE e.session = s.number) AS events,
      (SELECT jsonb_agg(to_jsonb(l) - 'session' ORDER BY l.id) FROM game_log_entries l WHERE l.session = s.number) AS entries
    FROM game_sessions s JOIN game_combats c ON c.session = s.number WHERE s.session_id = ${match}`;
  return JSON.stringify(row);
}

describe("erasing a player", () => {
  it("leaves nothing of its sessions in any table, and all of another's", async () => {
    const [gone, kept] = [newPlayer(), newPlayer()];
    const trace = async (player: string, word: string) => {
      const headers = { "Idempotency-Key": `key-of-${word}` };
      const { body } = await api.create(
        player,
        { metadata: { text: `meta-${word}` }, settings: { text: word } },
        headers,
      );
      await api.terminate(body.session_id, player, { reason: `reason-${word}` });
      await makeMatch(api, player);
      return body.session_id;
    };
    const [id] = [await trace(gone, "gonegone"), await trace(kept, "keptkept")];
    expect(await find(gone, id, "gonegone")).toEqual([
      "public.game_combats",
      "public.game_idempotency_keys",
      "public.game_log_entries",
      "public.game_participants",
      "public.game_sessions",
    ]);
    const before = await find(kept, "keptkept");
    expect(await erase(gone.toUpperCase())).toBe("200");
    expect(await find(gone, id, "gonegone")).toEqual([]);
    expect(await find(kept, "keptkept")).toEqual(before);
    expect((await api.list(gone)).body.total_count).toBe(0);
    expect(outcome(await api.read(id, "service"))).toBe("404 session_not_found");
    expect(await erase(gone)).toBe("404 player_not_found");
  });

  it("lets it leave a match that is being played, which ends where one is left", async () => {
    const [player, other, third] = [newPlayer(), newPlayer(), newPlayer()];
    const [ends, goesOn] = [await makeMatch(api, other, [player]), await makeMatch(api, other, [player, third])];
    expect(await erase(player)).toBe("200");
    const statuses = async (match: string) => {
      const { body } = await api.send("GET", `/combat/sessions/${match}`, other);
      return [
        body.status,
        body.participants.map(({ status }: { status: string }) => status),
        body.stats?.winner ?? body.winner,
      ];
    };
    expect(await statuses(ends)).toEqual(["completed", ["active", "disconnected"], other]);
    expect(await statuses(goesOn)).toEqual(["active", ["active", "disconnected", "active"], undefined]);
  });

  it("puts a nobody in its place in matches that others are in: all else stays as it was", async () => {
    const [player, other] = [newPlayer(), newPlayer()];
    const match = await makeMatch(api, other, [player]);
    await addHit(match, 1, [player, other], { shout: "mine" });
    await addHit(match, 2, [other, player], { shout: "theirs" });
    await api.update(match, other, { metadata: { rivals: [player] }, settings: { first: player } });
    await db.sql`
      UPDATE game_combats SET winner = ${player} WHERE session = (SELECT number FROM game_sessions WHERE session_id = ${match})`;
    await api.terminate(match, other);
    const before = await contentsOf(match);
    expect(await erase(player)).toBe("200");
    expect(await find(player, player.toUpperCase(), "mine")).toEqual([]);
    const after = await contentsOf(match);
    const [nobody] = await db.sql`
      SELECT p.player_id AS id FROM game_participants p JOIN game_sessions s ON s.number = p.session
      WHERE s.session_id = ${match} AND p.place = 2`;
    const renamed = before.replaceAll(player, nobody?.id).replaceAll(player.toUpperCase(), nobody?.id);
    expect(JSON.parse(after)).toEqual(
      JSON.parse(renamed.replace('"parameters":{"shout":"mine"},', "").replace(',"parameters":{"shout":"mine"}', "")),
    );
    expect(outcome(await api.read(match, player))).toBe("404 session_not_found");
    expect((await api.read(match, other)).body.status).toBe("terminated");
  });

  it("takes from a match that it made for others what it said, and leaves the match", async () => {
    const [player, other] = [newPlayer(), newPlayer()];
    const match = await makeMatch(api, player, [other]);
    await api.update(match, player, { metadata: { text: "metameta" }, settings: { rules: { health: 5 } } });
    await api.terminate(match, player, { reason: "whywhy" });
    expect(await erase(player)).toBe("200");
    expect(await find(player, "metameta", "whywhy")).toEqual([]);
    const { body } = await api.details(match, other, "include_logs=true");
    expect(body).toMatchObject({ status: "terminated", settings: { rules: { health: 5 } } });
    expect(body.metadata).toBe(undefined);
    expect(body.logs.map((entry: { event_type: string }) => entry.event_type)).toEqual([
      "created",
      "updated",
      "terminated",
    ]);
  });

  it("takes what the audit log says of it, and leaves who did what when", async () => {
    const player = newPlayer();
    const id = await api.make(player);
    expect(outcome(await byToken(app).post(`/game/${id}/end`, { reason: "whywhy" }))).toBe("200");
    expect(await find(id, "whywhy")).toContain("public.audit_log");
    const entries = async () => (await db.sql`SELECT action FROM audit_log ORDER BY id`).map(({ action }) => action);
    const before = await entries();
    expect(await erase(player)).toBe("200");
    expect(await find(id, player, "whywhy")).toEqual([]);
    expect(await entries()).toEqual([...before, "player_erased"]);
  });

  it("at once with one that has a match in common waits for it, and both are erased", async () => {
    const [one, two, three] = [newPlayer(), newPlayer(), newPlayer()];
    for (let n = 0; n < 5; n++) await makeMatch(api, n % 2 ? one : two, [n % 2 ? two : one, three]);
    expect(await Promise.all([erase(one), erase(two)])).toEqual(["200", "200"]);
    expect(await find(one, two)).toEqual([]);
    expect((await api.list(three)).body.total_count).toBe(5);
  });

  it("leaves the numbers as SQL over the rows says", async () => {
    const [player, other] = [newPlayer(), newPlayer()];
    await api.make(player);
    await api.terminate(await api.make(player), player);
    await makeMatch(api, player, [other]);
    await erase(player);
    const [row] = await db.sql`
      SELECT (SELECT sum(sessions)::int FROM game_rollups) AS told, (SELECT count(*)::int FROM game_sessions) AS rows,
             (SELECT sum(terminated)::int FROM game_rollups) AS over,
             (SELECT count(*)::int FROM game_sessions WHERE status = 'terminated') AS terminated`;
    expect([row?.told, row?.over]).toEqual([row?.rows, row?.terminated]);
  });
});
