/** What becomes of the place when its page goes: closed, reloaded, hidden, put aside, or one of two. */
import type { BrowserContext, Page, Request } from "playwright-core";
import { beforeEach, describe, expect, it } from "vitest";
import { agePlaces, newUser, resetRoom } from "../../../sessions/waiting-room/support/room.ts";
import { ADMIN_TOKEN, useApp } from "../../../support/app.ts";
import { useDatabase } from "../../../support/database.ts";
import { clientOf, placesOf } from "../support/client.ts";
import { notice, useVisitors } from "./support/visitor.ts";

const db = useDatabase();
const app = useApp(db, { adminToken: ADMIN_TOKEN, corsOrigins: ["*"] });
const visitors = useVisitors(app);
let seated: string;
let user: string;
let behind: string;

/** The visitor is first in line, somebody is behind. */
beforeEach(async () => {
  await resetRoom(db, { maxActive: 1 });
  [seated, user, behind] = [newUser("seated"), newUser("visitor"), newUser("behind")];
  for (const one of [seated, user, behind]) await clientOf(app).createSession(one);
});

const silentSeconds = async () => {
  const [row] = await db.sql`
    SELECT extract(epoch FROM clock_timestamp() - last_seen)::float AS s FROM waiting_room_places WHERE user_id = ${user}`;
  return row?.s as number;
};
/** The page's goodbye has arrived: the place will fall due in 20 s. */
const goodbye = () => expect.poll(silentSeconds, { interval: 20 }).toBeGreaterThan(30);
/** Nobody has passed the visitor, whose place was heard of in the last seconds. */
async function expectKept(): Promise<void> {
  await expect.poll(silentSeconds).toBeLessThan(10);
  expect(await placesOf(db)).toEqual([seated, user, behind]);
}
const atNumber = (page: Page, n: number) => notice(page, `You are number ${n} in line`).waitFor();
const closesOf = (page: Page | BrowserContext) => {
  const sent: string[] = [];
  page.on("request", (request) => request.url().includes("/close/") && sent.push(request.url()));
  return sent;
};

describe("a page that is closed", () => {
  it("gives its place in line back", async () => {
    const page = await visitors.open({ user });
    await atNumber(page, 1);
    await page.close({ runBeforeUnload: true });
    await goodbye();
    await agePlaces(db, 21, [user]);
    await expect.poll(() => placesOf(db)).toEqual([seated, behind]);
  });

  it("gives its seat to the next in line, 20 s later by the clock on the wall", async () => {
    await clientOf(app).closeSession(seated);
    const page = await visitors.open({ user });
    await page.waitForTimeout(2_000);
    const closedAt = performance.now();
    await page.close();
    await expect.poll(() => placesOf(db).then(([first]) => first), { timeout: 30_000 }).toBe(behind);
    expect(performance.now() - closedAt).toBeGreaterThan(19_000);
  });
});

describe("a page that is still there", () => {
  it("keeps its place through a reload, and another", async () => {
    const page = await visitors.open({ user });
    await atNumber(page, 1);
    for (const _ of [1, 2]) {
      await page.reload();
      await atNumber(page, 1);
    }
    await page.waitForTimeout(1_500); // the goodbye has been answered by asking again
    await expectKept();
    await agePlaces(db, 21, [user]);
    await expectKept();
  });

  it("keeps its seat through a reload", async () => {
    await clientOf(app).closeSession(seated);
    const page = await visitors.open({ user });
    await page.waitForTimeout(500);
    await page.reload();
    await page.waitForTimeout(1_500);
    await agePlaces(db, 30, [user]);
    expect(await clientOf(app).checkPosition(user)).toMatchObject({ status: "active" });
  });

  it("keeps its place on its way to another page of the site that has the widget", async () => {
    const page = await visitors.open({ user });
    await atNumber(page, 1);
    await page.goto(visitors.address({ user, path: "/checkout" }));
    await atNumber(page, 1);
    await page.waitForTimeout(1_500);
    await expectKept();
  });

  it("keeps its place while it is hidden, and asks at once when it is looked at", async () => {
    const page = await visitors.open({ user });
    await atNumber(page, 1);
    const closes = closesOf(page);
    await setHidden(page, true);
    await page.waitForTimeout(7_000);
    expect(closes).toEqual([]);
    await clientOf(app).closeSession(seated);
    await setHidden(page, false);
    await notice(page, "It is your turn").waitFor();
  });

  it("keeps its place while the phone shows another app and has frozen it, and asks at once on return", async () => {
    const page = await visitors.open({ user });
    await atNumber(page, 1);
    const closes = closesOf(page);
    const session = await page.context().newCDPSession(page);
    await setHidden(page, true);
    await session.send("Page.setWebLifecycleState", { state: "frozen" });
    await new Promise((resolve) => setTimeout(resolve, 6_000));
    expect(closes).toEqual([]);
    expect(await placesOf(db)).toEqual([seated, user, behind]);
    await session.send("Page.setWebLifecycleState", { state: "active" });
    await setHidden(page, false);
    await atNumber(page, 1);
    await expect.poll(silentSeconds, { timeout: 3_000 }).toBeLessThan(2);
  });

  // A browser without a screen puts no page aside ("BackForwardCacheDisabledForDelegate"): it is told so, as it would be.
  it("keeps its place while it is in the back/forward cache, asks nothing there, and at once when it is back", async () => {
    const page = await visitors.open({ user });
    await atNumber(page, 1);
    await page.waitForTimeout(500);
    // From that very moment: what the page asked just before may still be on its way.
    await page.evaluate(`{
      const send = fetch;
      window.sent = [];
      window.fetch = (url, init) => (sent.push(url), send(url, init));
      dispatchEvent(new PageTransitionEvent("pagehide", { persisted: true }));
    }`);
    const sent = () => page.evaluate<string[]>("sent");
    await page.waitForTimeout(6_000);
    expect(await sent()).toEqual([]);
    expect(await placesOf(db)).toEqual([seated, user, behind]);
    await clientOf(app).closeSession(seated);
    await page.evaluate(`dispatchEvent(new PageTransitionEvent("pageshow", { persisted: true }))`);
    await notice(page, "It is your turn").waitFor({ timeout: 3_000 });
    await expect.poll(async () => (await sent()).filter((url) => url.includes("/events/")).length).toBe(1);
  });
});

describe("two tabs of one user", () => {
  it("share the place: it stays when one is closed, and is given back with the last", async () => {
    const context = await visitors.context();
    const first = await visitors.open({ user }, context);
    const second = await visitors.open({ user }, context);
    for (const page of [first, second]) await atNumber(page, 1);
    await first.close();
    await second.waitForTimeout(2_000);
    await expectKept();
    await clientOf(app).closeSession(seated);
    await notice(second, "It is your turn").waitFor();
    await second.close();
    await expect.poll(silentSeconds).toBeGreaterThan(1_000);
    await agePlaces(db, 21, [user]);
    await expect.poll(() => placesOf(db)).toEqual([behind]);
  });

  it("keep the seat when the tab with the stream is closed", async () => {
    await clientOf(app).closeSession(seated);
    const context = await visitors.context();
    const first = await visitors.open({ user }, context);
    await visitors.open({ user }, context);
    await first.close();
    await expect.poll(silentSeconds, { timeout: 5_000, interval: 20 }).toBeLessThan(3);
    await new Promise((resolve) => setTimeout(resolve, 6_500));
    await agePlaces(db, 30, [user]);
    expect(await clientOf(app).checkPosition(user)).toMatchObject({ status: "active" });
  });

  it("keep the seat when the tab without the stream is closed, as the other one hears of it", async () => {
    await clientOf(app).closeSession(seated);
    const context = await visitors.context();
    const first = await visitors.open({ user }, context);
    await first.waitForTimeout(13_000); // by then it asks every 15 s only
    const second = await visitors.open({ user }, context);
    await second.waitForTimeout(1_500);
    await second.close();
    await goodbye();
    await expect.poll(silentSeconds, { timeout: 7_000 }).toBeLessThan(5);
  });

  it("hold one stream between them; the other tab takes it when the first is gone", async () => {
    const context = await visitors.context();
    const streams = new Set<Request>();
    context.on("request", (request) => request.url().includes("/events/") && streams.add(request));
    for (const over of ["requestfinished", "requestfailed"] as const) {
      context.on(over as "requestfailed", (request) => streams.delete(request));
    }
    const first = await visitors.open({ user }, context);
    const second = await visitors.open({ user }, context);
    for (const page of [first, second]) await atNumber(page, 1);
    // A tab that is slow to answer a newcomer may leave it a stream for a moment.
    await expect.poll(() => streams.size).toBe(1);
    await second.waitForTimeout(500);
    expect(streams.size).toBe(1);
    await first.close();
    await expect.poll(() => [...streams].some((request) => request.frame().page() === second)).toBe(true);
  });
});

describe("two devices of one user", () => {
  it("share the seat: it stays when the page on one of them is closed", async () => {
    await clientOf(app).closeSession(seated);
    const first = await visitors.open({ user }, await visitors.context());
    const second = await visitors.open({ user }, await visitors.context());
    await second.waitForTimeout(13_000); // by then it asks every 15 s only
    await first.close();
    await goodbye();
    await expect.poll(silentSeconds, { timeout: 17_000 }).toBeLessThan(5);
  });
});

describe("a page whose stream is cut", () => {
  it("goes on by asking, to the user's turn", async () => {
    const context = await visitors.context();
    await context.route("**/events/**", (route) => route.abort());
    const page = await visitors.open({ user }, context);
    await atNumber(page, 1);
    await clientOf(app).closeSession(seated);
    await notice(page, "It is your turn").waitFor();
    expect(await clientOf(app).checkPosition(user)).toMatchObject({ status: "active" });
  });
});

/** A headless browser hides no tab, so the page is told as it would be. */
async function setHidden(page: Page, hidden: boolean): Promise<void> {
  await page.evaluate(`{
    Object.defineProperty(document, "hidden", { configurable: true, value: ${hidden} });
    Object.defineProperty(document, "visibilityState", { configurable: true, value: "${hidden ? "hidden" : "visible"}" });
    document.dispatchEvent(new Event("visibilitychange"));
  }`);
}
