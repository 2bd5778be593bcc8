/** Game sessions at the page: what it shows while they are played, and how one is ended. */
import type { Page } from "playwright-core";
import { describe, expect, it } from "vitest";
import { combatApi, players } from "../../sessions/game/combat/support/combat.ts";
import { newPlayer } from "../../sessions/game/support/game.ts";
import { useApp } from "../../support/app.ts";
import { useDatabase } from "../../support/database.ts";
import { row, useOperators } from "./support/operator.ts";
import { violations } from "./support/violations.ts";

const db = useDatabase();
const app = useApp(db);
const operators = useOperators();
const api = combatApi(app);

const open = async (view = "#/games") => (await operators.signIn(app.url, { view })).page;
const dialog = (page: Page) => page.getByRole("dialog");
const press = (page: Page, name: string) => page.getByRole("button", { name, exact: true }).click();
const confirm = (page: Page, name: string) => dialog(page).getByRole("button", { name, exact: true }).click();
const region = (page: Page, name: string) => page.getByRole("region", { name, exact: true });
const search = (page: Page) => page.getByRole("searchbox");
const stands = (page: Page, words: string) => page.getByRole("status").getByText(words, { exact: true }).waitFor();
const tile = (page: Page, title: string) =>
  page
    .locator("dl.tiles > div")
    .filter({ has: page.getByText(title, { exact: true }) })
    .locator(".value");
const short = (id: string) => `${id.slice(0, 8)}…`;
const makeSession = async (player: string, body: object = {}): Promise<string> =>
  (await api.send("POST", "/sessions", player, { type: "auth", player_id: player, ...body })).body.session_id;

describe("the list of games at the page", () => {
  it("says that there is none, shows by itself what comes, and lets go of what ends", async () => {
    const page = await open();
    await page.getByText("No games here").waitFor();
    const [a, b] = players(2) as [string, string];
    const id = await api.make([a, b]);
    await row(page, short(id)).getByText("combat").waitFor();
    await row(page, short(id)).getByText(short(a)).waitFor();
    await api.send("PUT", `/sessions/${id}`, a, { status: "completed" });
    await row(page, short(id)).waitFor({ state: "detached" });
    await page.getByLabel("Status").selectOption({ label: "all" });
    await row(page, short(id)).getByText("completed").waitFor();
  });

  it("finds by type and status, by the id and its beginning, and by a player", async () => {
    const [a, b] = players(2) as [string, string];
    const match = await api.make([a, b]);
    const paused = await makeSession(b);
    await api.send("PUT", `/sessions/${paused}`, b, { status: "paused" });
    const page = await open();
    const shows = (ids: string[]) =>
      expect.poll(() => page.locator("tbody td:first-child a").allTextContents()).toEqual(ids.map(short));
    await search(page).fill(b);
    await shows([match]);
    await page.getByLabel("Status").selectOption({ label: "all" });
    await shows([paused, match]);
    await page.getByLabel("Type").selectOption({ label: "auth" });
    await shows([paused]);
    await page.getByLabel("Status").selectOption({ label: "paused" });
    await search(page).fill(` ${paused.slice(0, 10).toUpperCase()} `);
    await shows([paused]);
    await search(page).fill("nothing begins so");
    await page.getByText("No games here").waitFor();
    await search(page).fill("x".repeat(101));
    await page.getByText("at most 100 characters").waitFor();
  });

  it("has the numbers of each of the five timeframes, drawn and as a table that adds up", async () => {
    const player = newPlayer();
    for (const hours of [0, 3, 20, 100, 500]) {
      const id = await makeSession(player);
      await db.sql`
        UPDATE game_sessions SET created_at = created_at - by, updated_at = updated_at - by
        FROM make_interval(hours => ${hours}) by WHERE session_id = ${id}`;
    }
    const page = await open();
    const chart = region(page, "Sessions over time");
    const created = tile(page, "Created");
    await chart.locator("summary").click();
    const due = async (timeframe: string) =>
      (await api.send("GET", `/analytics/sessions?timeframe=${timeframe}`, "service")).body;
    for (const [timeframe, words, steps] of [
      ["1h", "1 hour", 300],
      ["6h", "6 hours", 1_800],
      ["24h", "24 hours", 3_600],
      ["7d", "7 days", 21_600],
      ["30d", "30 days", 86_400],
    ] as const) {
      await page.getByLabel("The last").selectOption({ label: words });
      const numbers = await due(timeframe);
      await expect.poll(() => chart.locator("tbody tr").count()).toBe(numbers.trends.length);
      await expect.poll(() => created.textContent()).toBe(String(numbers.total_sessions));
      const cells = await chart.locator("tbody tr td:nth-child(2)").allTextContents();
      expect(cells.reduce((sum, cell) => sum + Number(cell), 0)).toBe(numbers.total_sessions);
      const [first, second] = numbers.trends;
      expect((Date.parse(second.period) - Date.parse(first.period)) / 1000).toBe(steps);
      expect(await chart.locator(".chart canvas").count()).toBe(3);
    }
    expect((await due("30d")).total_sessions).toBeGreaterThan((await due("7d")).total_sessions);
    await chart.locator(".chart").first().hover();
    await chart.getByText(/: \d+ created, \d+ completed, .* on average/).waitFor();
  });
});

describe("a game at the page", () => {
  it("is a match with its players' health, a timeline of what happened, and is followed to its end", async () => {
    const [a, b, c] = players(3) as [string, string, string];
    const id = await api.make([a, b, c], { mode: "arena", settings: { rules: { health: 40 } } });
    await api.act(id, a, { target_id: b, parameters: { weapon: "sword" } });
    const page = await open(`#/games/${id}`);
    await page.getByRole("heading", { name: `Match, arena ${short(id)}` }).waitFor();
    expect(await page.getByRole("link", { name: "Games", exact: true }).getAttribute("aria-current")).toBe("page");
    await stands(page, "active");
    const health = page.getByRole("progressbar", { name: `Health of ${short(b)}` });
    await expect.poll(() => health.getAttribute("aria-valuetext")).toBe("30 health, score 0");
    expect(await health.getAttribute("value")).toBe("75");
    await row(page, "sword").getByText("10 damage, 30 health left, score 10").waitFor();
    await api.act(id, b, { action_type: "defend" });
    await row(page, "defend").getByText(short(b)).waitFor();
    await api.act(id, c, { target_id: b, damage: 30 }, "service");
    await region(page, "Participants").getByText("eliminated").waitFor();
    await row(page, "eliminated").getByText("30 damage, 0 health left, eliminated, score 30").waitFor();
    await api.send("PUT", `/sessions/${id}`, a, { status: "paused" });
    await stands(page, "paused");
    await api.send("PUT", `/sessions/${id}`, a, { status: "active" });
    await api.act(id, a, { target_id: c, damage: 40 }, "service");
    await stands(page, "completed");
    await region(page, "Participants").getByText("winner").waitFor();
    await region(page, "Facts").getByText("completed: it was decided").waitFor();
    await region(page, "Facts").getByText("140 damage").waitFor({ state: "detached" });
    const numbers = await page.locator("tbody tr td:first-child").allTextContents();
    expect(numbers).toEqual(["7", "6", "5", "4", "3", "2", "1"]);
    expect(await page.getByRole("button", { name: "End", exact: true }).count()).toBe(0);
  });

  it("has a timeline page by page, none of it twice", async () => {
    const [a, b] = players(2) as [string, string];
    const id = await api.make([a, b]);
    for (let n = 0; n < 60; n++) await api.act(id, a, { action_type: "move" });
    const page = await open(`#/games/${id}`);
    const numbers = () => page.locator("tbody tr td:first-child").allTextContents();
    await page.getByText("Page 1: 50 rows").waitFor();
    const first = await numbers();
    await press(page, "Next");
    await page.getByText("Page 2: 10 rows, the last page").waitFor();
    expect([...first, ...(await numbers())]).toEqual(Array.from({ length: 60 }, (_, at) => String(60 - at)));
  });

  it("is any other session with its log", async () => {
    const player = newPlayer();
    const id = await makeSession(player, { metadata: { region: "eu" } });
    const page = await open(`#/games/${id}`);
    await page.getByRole("heading", { name: `Session, auth ${short(id)}` }).waitFor();
    await region(page, "Facts").getByText('{"region":"eu"}').waitFor();
    await row(page, "created").waitFor();
    expect(await region(page, "Participants").count()).toBe(0);
    await api.send("DELETE", `/sessions/${id}`, player, { reason: "signed out" });
    await stands(page, "terminated");
    await row(page, "terminated").getByText("signed out").waitFor();
  });

  it("is ended with a reason, which the log and the audit log keep; what ended or went meanwhile is told in words", async () => {
    const [a, b] = players(2) as [string, string];
    const id = await api.make([a, b]);
    const page = await open(`#/games/${id}`);
    await press(page, "End");
    await confirm(page, "Keep it");
    expect((await api.read(id, a)).body.status).toBe("active");
    await press(page, "End");
    await dialog(page).getByLabel("Reason").fill("asked for by phone");
    await confirm(page, "End it");
    await stands(page, "terminated");
    await page.getByText("Ended as terminated").waitFor();
    await region(page, "Facts").getByText("terminated: ended by an operator").waitFor();
    await page.getByRole("link", { name: "Audit" }).click();
    await row(page, "game ended").filter({ hasText: "reason: asked for by phone" }).getByRole("link").click();
    await page.getByRole("heading", { name: `Match, pvp ${short(id)}` }).waitFor();

    const other = await api.make([a, b]);
    await page.goto(`${app.url}/admin#/games/${other}`);
    await press(page, "End");
    await api.send("PUT", `/sessions/${other}`, a, { status: "completed" });
    await confirm(page, "End it");
    await dialog(page)
      .getByRole("alert")
      .filter({ hasText: "It has ended meanwhile: completed. Nothing was changed." })
      .waitFor();
    await confirm(page, "Keep it");
    await stands(page, "completed");

    const gone = await makeSession(a);
    await page.goto(`${app.url}/admin#/games/${gone}`);
    await press(page, "End");
    await db.sql`DELETE FROM game_sessions WHERE session_id = ${gone}`;
    await confirm(page, "End it");
    await dialog(page).getByRole("alert").filter({ hasText: "It is gone" }).waitFor();
    await confirm(page, "Keep it");
    await page.getByText("There is no such session").waitFor();
  });

  it("loses a player who is erased after a question, which the audit log keeps without the name", async () => {
    const [a, b, c] = players(3) as [string, string, string];
    const match = await api.make([a, b, c]);
    const own = await makeSession(b);
    const page = await open();
    const player = () => dialog(page).getByRole("textbox", { name: "Player" });
    const agree = () => dialog(page).getByRole("checkbox").check();
    await row(page, short(own)).waitFor();
    await press(page, "Erase a player");
    expect(await player().inputValue()).toBe("");
    await player().fill(b.slice(0, 8));
    await agree();
    await confirm(page, "Erase");
    expect(await player().evaluate((input: { matches(of: string): boolean }) => input.matches(":invalid"))).toBe(true);
    await player().fill(newPlayer());
    await confirm(page, "Erase");
    await dialog(page).getByRole("alert").filter({ hasText: "Nothing is known of this player" }).waitFor();
    await confirm(page, "Cancel");
    expect((await api.send("GET", `/sessions/${own}`, b)).status).toBe(200);
    await search(page).fill(b);
    await row(page, short(match)).waitFor();
    await press(page, "Erase a player");
    expect(await player().inputValue()).toBe(b);
    await agree();
    await confirm(page, "Erase");
    await page.getByText("Erased", { exact: true }).waitFor();
    await page.getByText("No games here").waitFor();
    expect((await api.send("GET", `/sessions/${own}`, b)).status).toBe(404);
    const { participants } = (await api.send("GET", `/combat/sessions/${match}`, a)).body;
    expect(participants).toHaveLength(3);
    expect(JSON.stringify(participants)).not.toContain(b);
    await page.getByRole("link", { name: "Audit" }).click();
    await row(page, "player erased").waitFor();
    expect(await page.content()).not.toContain(b);
  });

  it("shows <script> in data, parameters and reasons as text", async () => {
    const evil = `<script>window.hacked = 1</script><img src=x onerror="window.hacked = 2">`;
    const [a, b] = players(2) as [string, string];
    const id = await api.make([a, b], { settings: { note: evil } });
    await api.act(id, a, { target_id: b, parameters: { weapon: evil } });
    const page = await open(`#/games/${id}`);
    await region(page, "Facts").getByText("window.hacked = 1").waitFor();
    await region(page, "Timeline").getByText("window.hacked = 1").waitFor();
    expect(await page.evaluate("window.hacked")).toBeUndefined();
  });
});

describe("the games by keyboard alone", () => {
  it("are reached, opened and ended", async () => {
    const player = newPlayer();
    const id = await makeSession(player);
    const { page } = await operators.signIn(app.url);
    const focused = () => page.evaluate("document.activeElement.textContent");
    const tabTo = async (name: string) => {
      for (let presses = 0; presses < 60 && (await focused()) !== name; presses++) await page.keyboard.press("Tab");
      expect(await focused()).toBe(name);
    };
    await page.getByRole("link", { name: "Games" }).focus();
    await page.keyboard.press("Enter");
    await page.getByRole("link", { name: short(id) }).waitFor();
    await tabTo(short(id));
    await page.keyboard.press("Enter");
    const heading = `Session, auth ${short(id)}`;
    await page.getByRole("heading", { name: heading }).waitFor();
    await page.getByRole("button", { name: "End", exact: true }).waitFor();
    expect(await focused()).toBe(heading);
    await tabTo("End");
    await page.keyboard.press("Enter");
    await page.keyboard.press("Escape");
    await dialog(page).waitFor({ state: "detached" });
    expect(await focused()).toBe("End");
    await page.keyboard.press("Enter");
    await page.keyboard.type("enough");
    await page.keyboard.press("Enter");
    await stands(page, "terminated");
    expect(await focused()).toBe(heading);
  });
});

describe.each(["light", "dark"] as const)("axe finds nothing at the games in %s colours", (colorScheme) => {
  it.each([1280, 390])(
    "in the list, a match, a session and the dialog, which fit a screen of %i pixels",
    async (width) => {
      const many = players(12);
      const [a, b] = many as [string, string];
      const settings = { note: "n".repeat(600), rules: { open: true } };
      const id = await api.make(many, { mode: "tournament", settings });
      await api.act(id, a, { target_id: b, parameters: { long: "p".repeat(900) } });
      await api.leave(id, b);
      const session = await makeSession(a, { metadata: { long: "m".repeat(600) } });
      const { page } = await operators.signIn(app.url, { view: "#/games", colorScheme });
      await page.setViewportSize({ width, height: 844 });
      const fits = async (what: string) => {
        expect([what, width, await violations(page)]).toEqual([what, width, []]);
        expect([what, await page.evaluate("document.documentElement.scrollWidth")]).toEqual([what, width]);
      };
      await page.goto(`${app.url}/admin#/games`);
      await row(page, short(id)).waitFor();
      await region(page, "Sessions over time").locator("summary").click();
      await fits("list");
      await search(page).fill("nothing begins so");
      await page.getByText("No games here").waitFor();
      await fits("empty");
      await press(page, "Erase a player");
      await dialog(page).waitFor();
      await fits("erase");
      await page.keyboard.press("Escape");
      await page.goto(`${app.url}/admin#/games/${id}`);
      await row(page, "attack").locator("summary").click();
      await region(page, "Facts").locator("summary").click();
      await fits("match");
      await press(page, "End");
      await dialog(page).waitFor();
      await fits("dialog");
      await page.keyboard.press("Escape");
      await page.goto(`${app.url}/admin#/games/${session}`);
      await row(page, "created").waitFor();
      await fits("session");
    },
  );
});

// The last, as they stay.
describe("100,000 games at the page", () => {
  it("have pages that show none twice, and one of them is found", async () => {
    const player = newPlayer();
    await db.sql`
      INSERT INTO game_sessions (session_id, type, player_id, created_at, updated_at, last_call, clock_steps, not_over_before, last_entry)
      SELECT gen_random_uuid(), 'auth', ${player}, now(), now(), now(), s.clock_steps, now() + interval '1 day', 1
      FROM present_state() s, generate_series(1, 100000)`;
    await db.sql`ANALYZE game_sessions`;
    const page = await open();
    const ids = () => page.locator("tbody td:first-child a").evaluateAll((all) => all.map((one) => one.title));
    await page.getByText("Page 1: 50 rows").waitFor();
    const first = await ids();
    await press(page, "Next");
    await page.getByText("Page 2: 50 rows").waitFor();
    expect(new Set([...first, ...(await ids())]).size).toBe(100);
    const [sought] =
      await db.sql`SELECT session_id FROM game_sessions WHERE player_id = ${player} ORDER BY number LIMIT 1`;
    await search(page).fill(sought?.session_id.slice(0, 13));
    await page.getByRole("link", { name: short(sought?.session_id) }).waitFor();
    await search(page).fill(player);
    await page.getByText("Page 1: 50 rows").waitFor();
    await search(page).fill("none of the many");
    await page.getByText("No games here").waitFor();
    expect(Number((await tile(page, "Created").textContent())?.replaceAll(",", ""))).toBeGreaterThanOrEqual(100_000);
  });
});
