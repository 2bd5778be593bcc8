/** What a page can do with widget.js: the element and its events, and the functions. */
import type { Page } from "playwright-core";
import { beforeEach, describe, expect, it } from "vitest";
import { newUser, resetRoom } from "../../../sessions/waiting-room/support/room.ts";
import { ADMIN_TOKEN, useApp } from "../../../support/app.ts";
import { useDatabase } from "../../../support/database.ts";
import { signUserToken } from "../../../support/user-token.ts";
import { clientOf, placesOf } from "../support/client.ts";
import { notice, useVisitors } from "./support/visitor.ts";

const SECRET = "a-secret-of-the-waiting-room-for-tests";
const db = useDatabase();
const app = useApp(db, { adminToken: ADMIN_TOKEN, corsOrigins: ["*"] });
const guarded = useApp(db, { corsOrigins: ["*"], env: { QUEUE_AUTH: "jwt", JWT_SECRET: SECRET } });
const visitors = useVisitors(app);
const guardedVisitors = useVisitors(guarded);
let seated: string;
let user: string;

beforeEach(async () => {
  await resetRoom(db, { maxActive: 1 });
  [seated, user] = [newUser("seated"), newUser("visitor")];
  await clientOf(app).createSession(seated);
});

/** Records what the page is told from now on, as "position 1". */
async function listen(page: Page): Promise<() => Promise<string[]>> {
  await page.evaluate(`{
    window.told = [];
    for (const name of ["position", "promoted", "closed", "expired", "error"]) {
      document.addEventListener("keybeat-" + name, ({ detail }) =>
        told.push([name, detail.position ?? detail.reason ?? detail.error?.code].join(" ").trim()));
    }
  }`);
  return () => page.evaluate("window.told") as Promise<string[]>;
}
/** Puts an element into the page. */
const put = (page: Page, attributes: Record<string, string>) =>
  page.evaluate(`{
    const element = document.createElement("keybeat-waiting-room");
    for (const [name, value] of Object.entries(${JSON.stringify(attributes)})) element.setAttribute(name, value);
    document.body.append(element);
  }`);
const call = (page: Page, text: string) => page.evaluate(`KeybeatWaitingRoom.${text}`);
const sign = (user: string) => signUserToken(user, SECRET);

describe("<keybeat-waiting-room>", () => {
  it("tells the page where its user stands, the promotion, and how the place was lost", async () => {
    const page = await visitors.open({});
    const told = await listen(page);
    await put(page, { "user-id": user });
    await expect.poll(told).toEqual(["position 1"]);
    await clientOf(app).closeSession(seated);
    await expect.poll(told).toEqual(["position 1", "promoted"]);
    await clientOf(app).closeSession(user);
    await expect.poll(told).toEqual(["position 1", "promoted", "closed closed"]);
  });

  it("gives the place back when it is taken out of the page, and keeps it when it is only moved", async () => {
    const page = await visitors.open({ user });
    await notice(page, "number 1").waitFor();
    await page.evaluate(`document.querySelector("main").append(document.querySelector("keybeat-waiting-room"))`);
    await page.waitForTimeout(500);
    expect(await placesOf(db)).toEqual([seated, user]);
    await page.evaluate(`document.querySelector("keybeat-waiting-room").remove()`);
    await expect.poll(() => placesOf(db)).toEqual([seated]);
    expect(await notice(page, "").count()).toBe(0);
  });

  it("taken out while its place is still asked for, it leaves none behind", async () => {
    const page = await visitors.open({});
    await page.route("**/create", async (route) => {
      await new Promise((resolve) => setTimeout(resolve, 500));
      await route.continue();
    });
    await put(page, { "user-id": user });
    await page.waitForTimeout(100);
    await page.evaluate(`document.querySelector("keybeat-waiting-room").remove()`);
    const moves = () => db.sql`SELECT move FROM waiting_room_moves WHERE user_id = ${user} ORDER BY id`;
    await expect.poll(() => moves().then((rows) => rows.map(({ move }) => move))).toEqual(["queued", "left"]);
    await page.waitForTimeout(500);
    expect([await placesOf(db), await notice(page, "").count()]).toEqual([[seated], 0]);
  });

  it("goes with its attributes: another user, another language, none", async () => {
    const page = await visitors.open({ user });
    await notice(page, "number 1").waitFor();
    const set = (name: string, value: string) =>
      page.evaluate(`document.querySelector("keybeat-waiting-room").setAttribute("${name}", "${value}")`);
    const other = newUser("other");
    await set("user-id", other);
    await expect.poll(() => placesOf(db)).toEqual([seated, other]);
    await set("lang", "ko");
    await notice(page, "대기 순번 1번입니다").waitFor();
    await page.evaluate(`document.querySelector("keybeat-waiting-room").removeAttribute("user-id")`);
    await expect.poll(() => placesOf(db)).toEqual([seated]);
  });

  it("asks another service where base-url says so, with the token", async () => {
    const page = await guardedVisitors.open({});
    const told = await listen(page);
    await put(page, { "user-id": user, "base-url": guarded.url, token: await sign(user) });
    await expect.poll(told).toEqual(["position 1"]);
    await clientOf(app).closeSession(seated);
    await expect.poll(told).toEqual(["position 1", "promoted"]);
  });

  it("says what is wrong where the service wants a token, and the closing page sends it along", async () => {
    const page = await guardedVisitors.open({});
    const told = await listen(page);
    await put(page, { "user-id": user });
    await expect.poll(told).toEqual(["error unauthorized"]);
    await notice(page, "You cannot be let in line").waitFor();
    await page.evaluate(`document.querySelector("keybeat-waiting-room").remove()`);
    await put(page, { "user-id": user, token: await sign(user) });
    await notice(page, "number 1").waitFor();
    await page.close();
    const due = () =>
      db.sql`SELECT FROM waiting_room_places WHERE user_id = ${user} AND last_seen < now() - interval '30 s'`;
    await expect.poll(due).toHaveLength(1);
  });
});

describe("KeybeatWaitingRoom", () => {
  it("takes a place, shows it, tells it, and gives it back", async () => {
    const page = await visitors.open({});
    const told = await listen(page);
    expect(await call(page, `createSession("${user}")`)).toMatchObject({ status: "queued", position: 1 });
    await notice(page, "You are number 1 in line").waitFor();
    expect(await call(page, `createSession("${user}")`)).toMatchObject({ status: "queued", position: 1 });
    expect(await call(page, `checkPosition("${user}")`)).toMatchObject({ status: "queued", position: 1 });
    await call(page, `closeSession("${user}")`);
    expect(await placesOf(db)).toEqual([seated]);
    expect(await notice(page, "").count()).toBe(0);
    expect(await told()).toEqual(["position 1", "closed closed"]);
    expect(await call(page, `createSession("${user}", { priority: 9 })`)).toMatchObject({ position: 1 });
    await notice(page, "You are number 1 in line").waitFor();
  });

  it("rejects with the service's code", async () => {
    const page = await visitors.open({});
    const code = `.then(() => "fine", (error) => error.name + " " + error.code)`;
    expect(await call(page, `checkPosition("nobody")${code}`)).toBe("KeybeatError user_not_found");
    expect(await call(page, `processWithLimit("nobody", () => 1)${code}`)).toBe("KeybeatError not_active");
  });

  it("runs work with a permit, and a closing page gives it back with the seat", async () => {
    await clientOf(app).closeSession(seated);
    const page = await visitors.open({});
    await call(page, `createSession("${user}")`);
    expect(await call(page, `processWithLimit("${user}", async (signal) => signal.aborted)`)).toBe(false);
    const permits = () => db.sql`SELECT FROM waiting_room_permits`;
    expect(await permits()).toHaveLength(0);
    await page.evaluate(`void KeybeatWaitingRoom.processWithLimit("${user}", () => new Promise(() => {}))`);
    await expect.poll(permits).toHaveLength(1);
    await page.close();
    await db.sql`SELECT pg_sleep(0.5)`;
    await expect.poll(() => placesOf(db), { interval: 500 }).toEqual([]);
    expect(await permits()).toHaveLength(0);
  }, 45_000);

  it("is configured by the page: language and token", async () => {
    const page = await guardedVisitors.open({});
    await call(page, `configure({ lang: "ko", token: async () => "${await sign(user)}" })`);
    expect(await call(page, `createSession("${user}")`)).toMatchObject({ position: 1 });
    await notice(page, "대기 순번 1번입니다").waitFor();
  });
});
