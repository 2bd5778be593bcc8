/** `keybeat games follow` as a person or a script sees it: on a terminal, in a pipe, and through an outage. */
import { describe, expect, it } from "vitest";
import { age, combatApi, players } from "../../sessions/game/combat/support/combat.ts";
import { newPlayer } from "../../sessions/game/support/game.ts";
import { useApp } from "../../support/app.ts";
import { useDatabase } from "../../support/database.ts";
import { startProxy } from "../../support/proxy.ts";
import { useFollow } from "../support/follow.ts";

const db = useDatabase();
const app = useApp(db);
const api = combatApi(app);
const { undo, onTerminal, inPipe } = useFollow("games", () => db.url);

const short = (player: string) => `${player.slice(0, 8)}…`;

describe("keybeat games follow on a terminal", () => {
  it("shows who takes part with their health, and what happened last, and ends with the match", async () => {
    const [a, b] = players(2) as [string, string];
    const id = await api.make([a, b], { settings: { rules: { health: 40 } } });
    await api.act(id, a, { target_id: b });
    const terminal = await onTerminal(id);
    const lines = await terminal.shows(/1 actions/);
    expect(lines[0]).toBe("pvp · active · 2 players");
    expect(lines[1]).toBe("2 of 2 active · 1 actions · 10 damage · 0 eliminated");
    expect(lines[3]).toBe(`${short(a)} ${"█".repeat(20)}    40 health     10 score  active`);
    expect(lines[4]).toBe(`${short(b)} ${"█".repeat(15)}${"░".repeat(5)}    30 health      0 score  active`);
    expect(lines[6]).toBe(`1  ${short(a)} attack at ${short(b)}, 10 damage, health 30`);
    expect(lines.at(-1)).toBe("q stops following; the session goes on");
    await api.send("PUT", `/sessions/${id}`, a, { status: "paused" });
    await terminal.shows(/pvp · paused/);
    await api.send("PUT", `/sessions/${id}`, a, { status: "active" });
    await api.act(id, a, { target_id: b, damage: 30 }, "service");
    expect(await terminal.ended()).toEqual({ code: 0, restored: true });
    expect(terminal.output()).toContain(`completed after `);
    expect(terminal.output()).toContain(`won by ${a} · 1 of 2 active · 2 actions · 40 damage · 1 eliminated\r\n`);
  });

  it("gives the terminal back after q, keeps to a small one, and the match goes on", async () => {
    const many = players(12);
    const id = await api.make(many);
    const terminal = await onTerminal(id);
    await terminal.shows(/12 players/);
    terminal.resize(20, 4);
    await terminal.shows((lines) => lines.length <= 4 && lines.every((line) => [...line].length <= 20));
    terminal.type("q");
    expect(await terminal.ended()).toEqual({ code: 130, restored: true });
    expect((await api.read(id, many[0] as string)).body.status).toBe("active");
  });
});

describe("keybeat games follow in a pipe", () => {
  it("prints a line an event, also through an outage, and exits with 0 once the match is completed", async () => {
    const proxy = await startProxy(db.url);
    undo.push(() => proxy.close());
    const [a, b] = players(2) as [string, string];
    const id = await api.make([a, b], { settings: { rules: { open: true } } });
    await api.act(id, a, { target_id: b });
    const follow = inPipe(id.slice(0, 8), { url: proxy.url });
    await expect.poll(follow.stdout).toMatch(/pvp · active · 2 players/);
    await api.act(id, b, { target_id: a });
    await expect.poll(follow.stdout).toContain(`2  ${short(b)} attack at ${short(a)}, 10 damage, health 90`);
    await proxy.set("refuse");
    await expect.poll(follow.stderr).toMatch(/^keybeat: the database is away \(.*\), waiting for it\n$/);
    await api.act(id, a, { action_type: "defend" });
    await api.leave(id, b);
    await proxy.set("pass");
    expect(await follow.ended).toBe(0);
    expect(follow.stderr()).toMatch(/\nkeybeat: the database is back\n$/);
    const said = follow
      .stdout()
      .trimEnd()
      .split("\n")
      .map((line) => line.replace(/^\S+Z {2}/, ""));
    expect(said.slice(1)).toEqual([
      `2  ${short(b)} attack at ${short(a)}, 10 damage, health 90`,
      `3  ${short(a)} defend`,
      `4  ${short(b)} has left`,
      expect.stringMatching(new RegExp(`^completed after \\d+ s, won by ${a} · 1 of 2 active · 3 actions`)),
    ]);
  });

  it("prints with --json every event once, in order, as the event stream has them, and exits with 1 if it did not complete", async () => {
    const [a, b] = players(2) as [string, string];
    const id = await api.make([a, b]);
    const follow = inPipe(id, { args: ["--json"] });
    await expect
      .poll(
        async () => (await db.sql`SELECT FROM pg_stat_activity WHERE query LIKE '%view_combat%look_at_game%'`).length,
      )
      .toBeGreaterThan(0);
    for (let n = 0; n < 4; n++) await api.act(id, a, { target_id: b });
    await api.send("DELETE", `/sessions/${id}`, a);
    expect(await follow.ended).toBe(1);
    expect(follow.stderr()).toBe("keybeat: the session did not complete: it is terminated\n");
    const told = follow
      .stdout()
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    const all = (await api.readState(id, a)).body.events;
    expect(all).toHaveLength(5);
    // What happened before it looked is not told.
    expect(told).toEqual(all.slice(-told.length));
    expect(told.at(-1).type).toBe("ended");
  });

  it("ends a match whose time is over, though nobody else asks for it, and says at once how one ended that is over", async () => {
    const [a, b] = players(2) as [string, string];
    const id = await api.make([a, b], { settings: { max_duration: 60 } });
    await age(db, id, 61);
    const follow = inPipe(id);
    expect(await follow.ended).toBe(0);
    expect(follow.stdout()).toMatch(/completed after 60 s · 2 of 2 active/);
    expect(await inPipe(id, { args: ["--json"] }).ended).toBe(0);
  });

  it("follows any other session by its log", async () => {
    const player = newPlayer();
    const id = (await api.send("POST", "/sessions", player, { type: "auth", player_id: player })).body.session_id;
    const follow = inPipe(id);
    await expect.poll(follow.stdout).toContain(`auth · ${player} · active · version 1`);
    await api.send("PUT", `/sessions/${id}`, player, { status: "paused" });
    await expect.poll(follow.stdout).toMatch(/Z {2}paused\n/);
    await api.send("PUT", `/sessions/${id}`, player, { status: "completed" });
    expect(await follow.ended).toBe(0);
    expect(follow.stdout()).toMatch(/Z {2}completed.*\n\S+Z {2}completed \(requested\) after \d+ s\n$/);
  });
});
