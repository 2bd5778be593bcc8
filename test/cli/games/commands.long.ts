/** keybeat games list, show and end, as an operator uses them. */
import { userInfo } from "node:os";
import { describe, expect, it } from "vitest";
import { combatApi, players } from "../../sessions/game/combat/support/combat.ts";
import { newPlayer, outcome } from "../../sessions/game/support/game.ts";
import { useApp } from "../../support/app.ts";
import { cloneDatabase, useDatabase } from "../../support/database.ts";
import { keybeat } from "../../support/process.ts";

const db = useDatabase();
const app = useApp(db);
const api = combatApi(app);

const games = (...args: string[]) => keybeat(["games", ...args], { DATABASE_URL: db.url });
const linesOf = (stdout: string) => stdout.trimEnd().split("\n");
const makeSession = async (player: string, body: object = {}): Promise<string> =>
  (await api.send("POST", "/sessions", player, { type: "player", player_id: player, ...body })).body.session_id;

describe("keybeat games list", () => {
  it("says so where there is none", async () => {
    const own = await cloneDatabase();
    try {
      const list = (...args: string[]) => keybeat(["games", "list", ...args], { DATABASE_URL: own.url });
      expect(await list()).toEqual({ code: 0, stdout: "no game sessions yet\n", stderr: "" });
      expect(await list("--type", "auth")).toMatchObject({ code: 0, stdout: "no game session is so\n" });
      expect(await list("--json")).toEqual({ code: 0, stdout: "", stderr: "" });
    } finally {
      await own.drop();
    }
  });

  it("shows the newest first, by type and status and at most so many; with --json a session a line", async () => {
    const [a, b] = players(2) as [string, string];
    const first = await makeSession(a, { type: "auth" });
    const match = await api.make([b, a]);
    await api.send("PUT", `/sessions/${first}`, a, { status: "paused" });
    const { code, stdout, stderr } = await games("list");
    expect([code, stderr]).toEqual([0, ""]);
    const [head, newest, older] = stdout.split("\n");
    expect(head).toMatch(/^SESSION +TYPE +STATUS +PLAYER +VERSION +CREATED +ENDED$/);
    expect(newest).toMatch(new RegExp(`^${match} +combat +active +${b} +1 +\\d+ \\w+ ago +-$`));
    expect(older).toMatch(new RegExp(`^${first} +auth +paused +${a} +2 +\\d+ \\w+ ago +-$`));
    expect(linesOf((await games("list", "--limit", "1")).stdout)).toHaveLength(2);
    expect(linesOf((await games("list", "--type", "combat")).stdout)).toHaveLength(2);
    const json = linesOf((await games("list", "--json", "--status", "paused")).stdout).map((line) => JSON.parse(line));
    expect(json).toEqual([(await api.readSession(first, a)).body]);
  });

  it("goes beyond a page of five hundred, and lists none as active whose time is over", async () => {
    const player = newPlayer();
    const id = await makeSession(player);
    await db.sql`
      INSERT INTO game_sessions (session_id, type, player_id, created_at, updated_at, last_call, clock_steps, not_over_before, last_entry)
      SELECT gen_random_uuid(), type, player_id, created_at, updated_at, last_call, clock_steps, not_over_before, 1
      FROM game_sessions, generate_series(1, 520) WHERE session_id = ${id}`;
    const listed = linesOf((await games("list", "--limit", "510", "--json")).stdout);
    expect(new Set(listed.map((line) => JSON.parse(line).session_id)).size).toBe(510);
    await db.sql`UPDATE game_sessions SET last_call = last_call - interval '2 days', not_over_before = now()
                 WHERE player_id = ${player} AND session_id <> ${id}`;
    const active = linesOf((await games("list", "--status", "active", "--type", "player", "--limit", "1000")).stdout);
    expect(active).toHaveLength(2);
    expect(active[1]).toContain(id);
  });
});

describe("keybeat games show", () => {
  it("tells of a match how it stands, who takes part, and what happened last", async () => {
    const [a, b, c] = players(3) as [string, string, string];
    const id = await api.make([a, b, c], { mode: "arena", settings: { rules: { cooldown_ms: { move: 60_000 } } } });
    await api.act(id, a, { target_id: b });
    await api.act(id, c, { target_id: b, damage: 500, action_type: "ability" }, "service");
    await api.act(id, a, { action_type: "move" });
    expect(outcome(await api.act(id, a, { action_type: "move" }))).toBe("409 cooldown");
    const { code, stdout, stderr } = await games("show", id.slice(0, 8));
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toMatch(new RegExp(`^session +${id}\ntype +combat, arena\nstatus +active\nmade by +${a}\n`));
    expect(stdout).toMatch(/^match +2 of 3 active, 3 actions, 510 damage, 1 eliminated$/m);
    expect(stdout).toMatch(/^refused +1 actions$/m);
    expect(stdout).toMatch(new RegExp(`^${a} +active +100 +10 +\\d+ s ago$`, "m"));
    expect(stdout).toMatch(new RegExp(`^${b} +eliminated +0 +0 +\\d+ s ago$`, "m"));
    const short = (player: string) => `${player.slice(0, 8)}…`;
    const events = linesOf(stdout.slice(stdout.indexOf("EVENT ")));
    expect(events[1]).toMatch(new RegExp(`^ +1 +\\d+ s ago +${short(a)} attack at ${short(b)}, 10 damage, health 90$`));
    expect(events[2]).toMatch(new RegExp(`${short(c)} ability at ${short(b)}, 500 damage, health 0, eliminated$`));
    expect(events[3]).toMatch(new RegExp(`${short(a)} move$`));

    const shown = JSON.parse((await games("show", id, "--json")).stdout);
    expect(shown.session).toMatchObject({ session_id: id, stats: { events_count: 3, errors_count: 1 } });
    expect(shown.match).toMatchObject({ session_id: id, mode: "arena", stats: { total_damage: 510 } });
    expect(shown.events).toEqual((await api.readState(id, a)).body.events);

    await api.act(id, a, { target_id: c, damage: 100 }, "service");
    expect((await games("show", id)).stdout).toMatch(/^status +completed \(decided\)$/m);
    expect((await games("show", id)).stdout).toMatch(new RegExp(`^winner +${a}$`, "m"));
  });

  it("tells of any other session its log and data, and lets none of it command the terminal", async () => {
    const player = newPlayer();
    const id = await makeSession(player, { metadata: { name: "evil\u001b[2Jname" } });
    await api.send("DELETE", `/sessions/${id}`, player, { reason: "evil\u001b[2Jreason" });
    const { stdout } = await games("show", id);
    expect(stdout).toMatch(/^status +terminated \(requested\)$/m);
    expect(stdout).toMatch(/^ended .* UTC \(\d+ s ago\)$/m);
    expect(stdout).toMatch(/^\d+ s ago +created +-\n\d+ s ago +terminated/m);
    expect(stdout.replaceAll("\n", "")).not.toMatch(/\p{Cc}/u);
    const shown = JSON.parse((await games("show", id, "--json")).stdout);
    expect(Object.keys(shown)).toEqual(["session"]);
    expect(shown.session.metadata).toEqual({ name: "evil\u001b[2Jname" });
  });

  it("is no call for the session", async () => {
    const player = newPlayer();
    const id = await makeSession(player);
    const heard = async () =>
      (await db.sql`SELECT last_call FROM game_sessions WHERE session_id = ${id}`)[0]?.last_call;
    await db.sql`UPDATE game_sessions SET last_call = last_call - interval '1 hour' WHERE session_id = ${id}`;
    const before = await heard();
    await games("show", id);
    expect(await heard()).toEqual(before);
  });
});

describe("keybeat games end", () => {
  it("ends one session by its first characters; its players are told why, and the audit log has it", async () => {
    const [a, b] = players(2) as [string, string];
    const id = await api.make([a, b]);
    const other = await api.make([a, b]);
    expect(await games("end", `${id.slice(0, 12).toUpperCase()}…`, "--reason", "asked for it by phone")).toEqual({
      code: 0,
      stdout: `ended session ${id}: it is terminated\n`,
      stderr: "",
    });
    const { status, body } = await api.act(id, a, { target_id: b });
    expect([status, body.details]).toEqual([
      409,
      expect.objectContaining({ code: "session_over", ended_reason: "operator" }),
    ]);
    expect(outcome(await api.act(other, a, { target_id: b }))).toBe("200");
    const [entry] = await db.sql`SELECT who, action, details FROM audit_log ORDER BY id DESC LIMIT 1`;
    expect(entry).toEqual({
      who: `command line (${userInfo().username})`,
      action: "game_ended",
      details: { game_session_id: id, reason: "asked for it by phone" },
    });
    expect(await games("end", id)).toEqual({
      code: 1,
      stdout: "",
      stderr: "keybeat: the session is over: terminated\n",
    });
    const said = JSON.parse((await games("end", other, "--json")).stdout);
    expect(said).toEqual({ ended: true, session_id: other, status: "terminated", ended_at: expect.any(String) });
  });

  it("refuses a beginning that fits several, lists them, and ends none; and one that fits nobody", async () => {
    const player = newPlayer();
    const twins = ["5eed5eed-0000-4000-8000-000000000001", "5eed5eed-0000-4000-8000-000000000002"];
    for (const twin of twins) {
      await db.sql`UPDATE game_sessions SET session_id = ${twin} WHERE session_id = ${await makeSession(player)}`;
    }
    const { code, stdout, stderr } = await games("end", "5eed5eed");
    for (const id of twins) expect(stdout).toContain(id);
    expect([code, stderr]).toEqual([1, "keybeat: several game sessions fit, nothing was done: say more characters\n"]);
    const { matches } = JSON.parse((await games("end", "5eed5eed-0", "--json")).stdout);
    expect(matches.sort()).toEqual(twins);
    for (const id of twins) expect((await api.readSession(id, player)).body.status).toBe("active");
    expect(await games("end", "deadbeef")).toEqual({
      code: 1,
      stdout: "",
      stderr: "keybeat: no game session's id begins so\n",
    });
  });
});

describe("keybeat games used wrongly", () => {
  it.each([
    [
      ["list", "--status", "initializing"],
      /^keybeat: --status must be one of active, paused, completed, terminated\n$/,
    ],
    [["list", "--type", "chess"], /^keybeat: --type must be one of combat, player, auth, custom\n$/],
    [["list", "--limit", "0"], /^keybeat: --limit must be a whole number from 1 to 100000\n$/],
    [["show", "deadbee"], /^keybeat: an id needs at least its first 8 characters\n$/],
    [["follow", ""], /^keybeat: an id needs at least its first 8 characters\n$/],
    [["end", "deadbeef", "--reason", "x".repeat(201)], /^keybeat: --reason must have at most 200 characters\n$/],
  ])("exits with 2 and one line on stderr: %s", async (args, reason) => {
    const { code, stdout, stderr } = await games(...args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toMatch(reason);
  });
});
