/** /demo/waiting-room in a real Chromium: 25 users of its own, and the visitor with the widget. */
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { notice, takePicture, violations } from "../../../client/waiting-room/page/support/visitor.ts";
import { clientOf, placesOf } from "../../../client/waiting-room/support/client.ts";
import { useApp } from "../../../support/app.ts";
import { openBrowser } from "../../../support/browser.ts";
import { useDatabase } from "../../../support/database.ts";
import { newUser, resetRoom } from "../support/room.ts";

const db = useDatabase();
const app = useApp(db, { adminToken: undefined });
const guarded = useApp(db, { env: { QUEUE_AUTH: "jwt", JWT_SECRET: "a-secret-of-the-waiting-room-for-tests" } });
let browser: Browser;
const faults: string[] = [];

beforeAll(async () => {
  browser = await openBrowser();
});
afterEach(async () => {
  await Promise.all(browser.contexts().map((context) => context.close()));
  expect(faults.splice(0)).toEqual([]);
});
afterAll(() => browser?.close());
beforeEach(() => resetRoom(db, { maxActive: 10 }));

async function open(options: BrowserContextOptions & { url?: string } = {}): Promise<Page> {
  const { url = app.url, ...more } = options;
  const page = await (await browser.newContext({ locale: "en-GB", ...more })).newPage();
  page.setDefaultTimeout(60_000);
  page.on("pageerror", (error) => faults.push(String(error)));
  page.on(
    "request",
    (sent) => /^data:/.test(sent.url()) || sent.url().startsWith(`${url}/`) || faults.push(sent.url()),
  );
  page.on("console", (said) => /Content Security Policy|Trusted/.test(said.text()) && faults.push(said.text()));
  await page.goto(`${url}/demo/waiting-room`);
  return page;
}
const press = (page: Page, name: string) => page.getByRole("button", { name, exact: true }).click();
const says = (page: Page, text: string) => page.getByRole("status").filter({ hasText: text }).waitFor();
const card = (page: Page, text: string) => page.locator("#users li").filter({ hasText: text });
/** The visitor comes while all 25 are there. */
async function openFull(options: BrowserContextOptions = {}): Promise<Page> {
  const page = await open(options);
  await press(page, "Start 25 users");
  await says(page, "10 have a seat, 15 wait in line.");
  await press(page, "Line up");
  await says(page, "You are number 16 in line.");
  return page;
}

describe("the demo page", () => {
  it("asks for no place before a button is pressed", async () => {
    const page = await open();
    await page.waitForTimeout(1_000);
    expect(await placesOf(db)).toEqual([]);
    await page.getByText("0 of 10").first().waitFor();
  });

  it("lets 25 users come, 10 to seats and 15 in line in the order of their numbers, and you behind them", async () => {
    const page = await openFull();
    expect(await placesOf(db)).toHaveLength(26);
    expect(await card(page, "has a seat").count()).toBe(10);
    await card(page, "User 11")
      .filter({ hasText: /number 1\b/ })
      .waitFor();
    await card(page, "User 25")
      .filter({ hasText: /number 15\b/ })
      .waitFor();
    await notice(page, "You are number 16 in line").waitFor();
    await page.getByText("10 of 10").first().waitFor();
  });

  it("shows the next one let in when one leaves, and you moved up", async () => {
    const page = await openFull();
    await press(page, "One leaves");
    await card(page, "User 11").filter({ hasText: "has a seat" }).waitFor();
    await card(page, "User 12")
      .filter({ hasText: /number 1\b/ })
      .waitFor();
    expect(await card(page, "left").count()).toBe(1);
    await says(page, "10 have a seat, 14 wait in line.");
    await notice(page, "You are number 15 in line").waitFor();
  });

  it("gives all places back when it is told to stop; then it is your turn, and you may send a request", async () => {
    const page = await openFull();
    await press(page, "Stop all");
    await says(page, "None of them is here.");
    await notice(page, "It is your turn").waitFor();
    expect(await placesOf(db)).toEqual([expect.stringMatching(/^demo-you-/)]);
    await press(page, "Send a request of 3 s");
    await page.getByText("1 of 10").nth(1).waitFor();
    await says(page, "Your request is done.");
    await press(page, "Leave");
    await says(page, "You have left.");
    expect(await placesOf(db)).toEqual([]);
    await press(page, "Start 25 users");
    await says(page, "10 have a seat, 15 wait in line.");
  }, 30_000);

  it("gives the 25 places back at once when it is closed", async () => {
    const page = await openFull();
    await page.close();
    await expect.poll(() => placesOf(db)).toEqual([expect.stringMatching(/^demo-you-/)]);
  });

  it("keeps your own place through a reload", async () => {
    const page = await openFull();
    await clientOf(app).createSession(newUser("later"));
    await page.reload();
    // The 25 left with the page before this one, so it is your turn; nobody passed you.
    await says(page, "You have a seat.");
    expect((await placesOf(db))[0]).toMatch(/^demo-you-/);
  });

  it("stopped while they come, it leaves nobody behind", async () => {
    const page = await open();
    await page.route("**/create", async (route) => {
      await new Promise((resolve) => setTimeout(resolve, 100));
      await route.continue();
    });
    await press(page, "Start 25 users");
    await card(page, "has a seat").nth(2).waitFor();
    await press(page, "Stop all");
    await page.waitForTimeout(1_000);
    await expect.poll(() => placesOf(db)).toEqual([]);
    expect(await page.locator('#users li[data-state="gone"]').count()).toBe(25);
    expect(await page.getByRole("button", { name: "Start 25 users" }).isEnabled()).toBe(true);
  });

  it("says what is the matter where users need tokens, where the line is full, and where the service is away", async () => {
    const page = await open({ url: guarded.url });
    await press(page, "Start 25 users");
    await page.getByRole("alert").filter({ hasText: "QUEUE_AUTH=jwt" }).waitFor();
    await takePicture(page, "demo-jwt");
    await resetRoom(db, { maxActive: 3, maxWaiting: 2 });
    const full = await open();
    await press(full, "Start 25 users");
    await full.getByRole("alert").filter({ hasText: "The line is full" }).waitFor();
    expect(await placesOf(db)).toHaveLength(5);
    await full.route("**/api/v1/session/**", (route) => route.abort());
    await full.getByRole("alert").filter({ hasText: "cannot be reached" }).waitFor();
    await full.unroute("**/api/v1/session/**");
    await full.getByRole("alert").filter({ hasText: /./ }).waitFor({ state: "detached" });
    await says(full, "3 have a seat, 2 wait in line.");
  }, 30_000);

  it("is worked by keyboard alone", async () => {
    const page = await open();
    await page.keyboard.press("Tab");
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await says(page, "10 have a seat, 15 wait in line.");
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await says(page, "10 have a seat, 14 wait in line.");
  });

  it.each(["light", "dark"] as const)(
    "is one that axe finds nothing in, in %s colours, wide and on a phone",
    async (colorScheme) => {
      for (const width of [1280, 390]) {
        await resetRoom(db, { maxActive: 10 });
        const page = await openFull({ colorScheme, viewport: { width, height: 844 } });
        await press(page, "One leaves");
        await notice(page, "You are number 15 in line").waitFor();
        await page.waitForTimeout(500); // slid in
        expect([width, await violations(page)]).toEqual([width, []]);
        expect(await page.evaluate("document.documentElement.scrollWidth")).toBe(width);
        await takePicture(page, `demo-${colorScheme}-${width}`);
        await page.close();
        await expect.poll(() => placesOf(db)).toHaveLength(1);
      }
    },
    60_000,
  );

  it("allows nothing inline, nothing from elsewhere, and has no other file", async () => {
    const answer = await fetch(`${app.url}/demo/waiting-room`);
    const policy = answer.headers.get("content-security-policy") as string;
    expect(policy).toContain("default-src 'none'");
    expect(policy).not.toMatch(/unsafe|https?:|\*/);
    expect(await answer.text()).not.toMatch(/https?:\/\/|<script(?! defer src=")|style="| on\w+=|(?:src|href)="\//);
    for (const path of [
      "/demo",
      "/demo/waiting-room/",
      "/demo/waiting-room/demo.html",
      "/demo/waiting-room/widget.js",
    ]) {
      expect([path, (await fetch(app.url + path)).status]).toEqual([path, 404]);
    }
  });
});
