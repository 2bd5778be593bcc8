/** The waiting room on the page: what it shows, and what can be done there. */
import type { Page } from "playwright-core";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { agePlaces, callRoom, resetRoom } from "../../sessions/waiting-room/support/room.ts";
import { ADMIN_TOKEN, useApp } from "../../support/app.ts";
import { useDatabase } from "../../support/database.ts";
import { type RunningServer, startServer } from "../../support/process.ts";
import { type DatabaseProxy, startProxy } from "../../support/proxy.ts";
import { byToken } from "../support/admin.ts";
import { row, useOperators } from "./support/operator.ts";
import { violations } from "./support/violations.ts";

const db = useDatabase();
const app = useApp(db);
const operators = useOperators();
const room = callRoom(app);
beforeEach(() => resetRoom(db, { maxActive: 2 }));

const VIEW = { view: "#/waiting-room" };
const come = async (users: string[], more = {}) => {
  for (const user of users) expect((await room.create(user, more)).status).toBe(200);
};
const open = async () => (await operators.signIn(app.url, VIEW)).page;
const line = (page: Page) => page.getByRole("region", { name: "The line" });
const seats = (page: Page) => page.getByRole("region", { name: "Seats" });
const dialog = (page: Page) => page.getByRole("dialog");
const press = (page: Page, name: string) => page.getByRole("button", { name, exact: true }).click();
const confirm = (page: Page, name: string) => dialog(page).getByRole("button", { name, exact: true }).click();
/** The users of a table from top to bottom, once they are these. */
const expectUsers = (of: ReturnType<typeof line>, users: string[]) =>
  expect.poll(() => of.locator("tbody td:first-child").allTextContents()).toEqual(users);

describe("the waiting room at the page", () => {
  it("says that it is empty, and shows by itself who comes", async () => {
    const page = await open();
    await page.getByText("Nobody is waiting").waitFor();
    await page.getByText("Nobody has a seat").waitFor();
    await page.getByText("2 free seats").waitFor();
    await come(["mina", "jun", "ada"]);
    await expectUsers(seats(page), ["mina", "jun"]);
    await expectUsers(line(page), ["ada"]);
    await page.getByText("2 of 2").waitFor();
  });

  it("shows the line as it will be let in, by priority and ticket, and finds users by the beginning of their id", async () => {
    await come(["mina", "jun", "ada", "bob"]);
    await come(["vip"], { priority: 5 });
    const page = await open();
    await expectUsers(line(page), ["vip", "ada", "bob"]);
    await page.getByText("1 of priority 5, 2 of priority 0").waitFor();
    await page.getByLabel("User begins with").fill("bo");
    await expectUsers(line(page), ["bob"]);
    await seats(page).getByText("Nobody has a seat").waitFor();
    await row(page, "bob").getByRole("cell", { name: "3", exact: true }).waitFor();
  });

  it("turns the pages of a long line", async () => {
    await come(Array.from({ length: 32 }, (_, n) => `user-${n + 1}`));
    const page = await open();
    await line(page).getByText("Page 1: 25 rows").waitFor();
    await line(page).getByRole("button", { name: "Next" }).click();
    await line(page).getByText("Page 2: 5 rows, the last page").waitFor();
    await expectUsers(line(page), ["user-28", "user-29", "user-30", "user-31", "user-32"]);
  });

  it("pauses, and resumes with the free seats given away", async () => {
    await come(["mina", "jun", "ada"]);
    const page = await open();
    await press(page, "Pause");
    await confirm(page, "Pause");
    await page.getByText("paused", { exact: true }).waitFor();
    await room.close("mina");
    await page.getByText("1 of 2").waitFor();
    await expectUsers(line(page), ["ada"]);
    await press(page, "Resume");
    await confirm(page, "Resume");
    await expectUsers(seats(page), ["jun", "ada"]);
    await page.getByText("paused", { exact: true }).waitFor({ state: "hidden" });
    await seats(page).getByText("not here yet").waitFor();
  });

  it("changes the number of seats", async () => {
    await come(["mina", "jun", "ada", "bob"]);
    const page = await open();
    await press(page, "Change seats");
    await dialog(page).getByLabel("Seats").fill("3");
    await confirm(page, "Change");
    await page.getByText("3 of 3").waitFor();
    await page.getByText("2 configured").waitFor();
    await expectUsers(line(page), ["bob"]);
    await press(page, "Change seats");
    await dialog(page).getByLabel("Seats").fill("1");
    await page.keyboard.press("Enter");
    await page.getByText("2 more than there are: they may stay").waitFor();
    await expectUsers(seats(page), ["mina", "jun", "ada"]);
  });

  it("changes a priority, and the line with it", async () => {
    await come(["mina", "jun", "ada", "bob"]);
    const page = await open();
    await press(page, "Priority of bob");
    await dialog(page).getByLabel("Priority").fill("9");
    await confirm(page, "Change");
    await expectUsers(line(page), ["bob", "ada"]);
  });

  it("lets in by hand, and says where every seat is taken that it cannot", async () => {
    await come(["mina", "jun", "ada", "bob"]);
    const page = await open();
    await press(page, "Let in bob");
    await confirm(page, "Let in");
    await dialog(page).getByRole("alert").filter({ hasText: "Every seat is taken" }).waitFor();
    await byToken(app).send("PATCH", "/waiting-room", { paused: true });
    await room.close("mina");
    await confirm(page, "Let in");
    await page.getByRole("status").filter({ hasText: "Let bob in" }).waitFor();
    await expectUsers(seats(page), ["jun", "bob"]);
    await expectUsers(line(page), ["ada"]);
  });

  it("removes whoever has a seat or waits, with a reason that the audit log tells", async () => {
    await come(["mina", "jun", "ada", "bob"]);
    const page = await open();
    await press(page, "Remove mina");
    await dialog(page).getByLabel("Reason").fill("asked for it");
    await confirm(page, "Remove");
    await expectUsers(seats(page), ["jun", "ada"]);
    await press(page, "Remove bob");
    await confirm(page, "Remove");
    await page.getByText("Nobody is waiting").waitFor();
    await page.getByRole("link", { name: "Audit" }).click();
    await row(page, "place removed").filter({ hasText: "user id: mina" }).filter({ hasText: "asked for it" }).waitFor();
  });

  it("shows <script> in a user's id as text", async () => {
    const evil = `<script>window.hacked = 1</script><img src=x onerror="window.hacked = 2">`;
    await come(["mina", "jun", evil]);
    const page = await open();
    await expectUsers(line(page), [evil]);
    await press(page, `Remove ${evil}`);
    await dialog(page).getByText(evil).waitFor();
    await confirm(page, "Remove");
    await page.getByText("Nobody is waiting").waitFor();
    expect(await page.evaluate("window.hacked")).toBeUndefined();
  });
});

describe("a user of the waiting room at the page", () => {
  it("has a view with every move, where what can be done fits the place", async () => {
    const user = "a/b ü%41";
    await come(["mina", "jun", user]);
    const page = await open();
    await page.getByRole("link", { name: user }).click();
    await page.getByRole("heading", { name: user }).waitFor();
    await row(page, "joined the line").waitFor();
    await page.getByRole("button", { name: "Priority" }).waitFor();
    expect(await page.getByRole("link", { name: "Waiting room" }).first().getAttribute("aria-current")).toBe("page");
    await room.close("mina");
    await row(page, "let in from the line").waitFor();
    await page.getByRole("button", { name: "Priority" }).waitFor({ state: "detached" });
    await press(page, "Remove");
    await confirm(page, "Remove");
    await row(page, "removed by an operator").waitFor();
    await page.getByText("none now").waitFor();
    await page.reload();
    await row(page, "joined the line").waitFor();
    await page.goto(`${app.url}/admin#/waiting-room/users/%E4`);
    await page.getByRole("heading", { name: "Who is on now" }).waitFor();
  });

  it("is erased after a yes, and leaves nothing in the audit log but that it happened", async () => {
    await come(["mina", "jun"]);
    const page = await open();
    await press(page, "Remove mina");
    await confirm(page, "Remove");
    await come(["mina"]);
    await page.getByRole("link", { name: "mina" }).click();
    await press(page, "Erase");
    await confirm(page, "Erase");
    expect(await dialog(page).count()).toBe(1);
    await page.getByLabel("Yes, erase all of it").check();
    await confirm(page, "Erase");
    await expectUsers(seats(page), ["jun"]);
    expect(await db.sql`SELECT FROM waiting_room_moves WHERE user_id = 'mina'`).toHaveLength(0);
    await page.getByRole("link", { name: "Audit" }).click();
    await row(page, "user erased").first().waitFor();
    expect(await row(page, "mina").count()).toBe(0);
  });
});

describe("the waiting room by keyboard alone", () => {
  it("is reached, and keeps the focus on a waiter while others come and poll", async () => {
    await come(["mina", "jun", "ada", "bob"]);
    const { page } = await operators.signIn(app.url);
    await page.getByRole("link", { name: "Waiting room" }).focus();
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Waiting room" }).waitFor();
    await expectUsers(line(page), ["ada", "bob"]);
    const focused = () => page.evaluate("document.activeElement.getAttribute('aria-label')");
    const tabTo = async (name: string) => {
      for (let presses = 0; presses < 40 && (await focused()) !== name; presses++) await page.keyboard.press("Tab");
      expect(await focused()).toBe(name);
    };
    await tabTo("Priority of bob");
    await come(["late"]);
    await room.close("ada");
    await expectUsers(line(page), ["bob", "late"]);
    expect(await focused()).toBe("Priority of bob");
    await page.keyboard.press("Enter");
    await page.keyboard.press("Escape");
    await dialog(page).waitFor({ state: "detached" });
    expect(await focused()).toBe("Priority of bob");
    await tabTo("Remove bob");
    await page.keyboard.press("Enter");
    await page.keyboard.type("gone");
    await page.keyboard.press("Enter");
    await expectUsers(line(page), ["late"]);
    // The button is gone with its row; what comes next is near.
    expect(await page.evaluate("document.activeElement.textContent")).toBe("The line");
  });
});

describe.each(["light", "dark"] as const)("axe finds nothing at the waiting room in %s colours", (colorScheme) => {
  it("empty, full and paused, wide and on a phone, which it fits; nor in its dialogs", async () => {
    const { page } = await operators.signIn(app.url, { ...VIEW, colorScheme });
    for (const width of [1280, 390]) {
      await resetRoom(db, { maxActive: 2 });
      await page.setViewportSize({ width, height: 844 });
      await page.getByText("Nobody is waiting").waitFor();
      expect(await violations(page)).toEqual([]);
      await come(["mina", "jun", "ada", "u".repeat(128)]);
      await byToken(app).send("PATCH", "/waiting-room", { paused: true, max_active: 3 });
      await page.getByText("paused", { exact: true }).waitFor();
      await expectUsers(line(page), ["ada", "u".repeat(128)]);
      expect([width, await violations(page)]).toEqual([width, []]);
      expect(await page.evaluate("document.documentElement.scrollWidth")).toBe(width);
      for (const name of ["Resume", "Change seats", "Let in ada", "Priority of ada", "Remove ada"]) {
        await press(page, name);
        await dialog(page).waitFor();
        expect([name, await violations(page)]).toEqual([name, []]);
        await page.keyboard.press("Escape");
        await dialog(page).waitFor({ state: "detached" });
      }
      await page.getByRole("link", { name: "u".repeat(128) }).click();
      await row(page, "joined the line").waitFor();
      expect([width, await violations(page)]).toEqual([width, []]);
      expect(await page.evaluate("document.documentElement.scrollWidth")).toBe(width);
      await page.goBack();
    }
  });
});

describe("the waiting room while the database is away", () => {
  let proxy: DatabaseProxy;
  let keybeat: RunningServer;
  beforeAll(async () => {
    proxy = await startProxy(db.url);
    const env = { ADMIN_TOKEN, CLEANUP_CRON: "", HOST: "127.0.0.1", PORT: "0", QUEUE_MAX_ACTIVE: "2" };
    keybeat = await startServer({ DATABASE_URL: proxy.url, ...env });
  });
  afterAll(async () => {
    await keybeat?.stop();
    await proxy?.close();
  });

  it("keeps what it showed, says in a dialog that nothing is to be had, and goes on when it is back", async () => {
    await come(["mina", "jun", "ada"]);
    const { page } = await operators.signIn(keybeat.url, VIEW);
    await expectUsers(line(page), ["ada"]);
    await proxy.set("refuse");
    await page.getByText("The database is not answering.").waitFor();
    await expectUsers(line(page), ["ada"]);
    await press(page, "Remove ada");
    await confirm(page, "Remove");
    await dialog(page).getByRole("alert").filter({ hasText: /./ }).waitFor();
    await page.keyboard.press("Escape");
    await room.create("bob");
    await proxy.set("pass");
    await expectUsers(line(page), ["ada", "bob"]);
    // Silent long before the database went away: a waiter has a full minute from its return.
    await agePlaces(db, 600);
    await page.getByText("Nobody is waiting").waitFor();
  });
});
