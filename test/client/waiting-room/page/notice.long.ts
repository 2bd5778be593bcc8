/** What a visitor sees and hears of the waiting room. */
import { readFileSync } from "node:fs";
import type { Page } from "playwright-core";
import { beforeEach, describe, expect, it } from "vitest";
import { newUser, resetRoom } from "../../../sessions/waiting-room/support/room.ts";
import { ADMIN_TOKEN, useApp } from "../../../support/app.ts";
import { useDatabase } from "../../../support/database.ts";
import { clientOf } from "../support/client.ts";
import { notice, takePicture, useVisitors, violations } from "./support/visitor.ts";

const db = useDatabase();
const app = useApp(db, { adminToken: ADMIN_TOKEN, corsOrigins: ["*"] });
const visitors = useVisitors(app);
let ahead: string[];
let user: string;

/** One user is seated, two wait; a seat was vacated recently, so there is an estimate. */
beforeEach(async () => {
  await resetRoom(db, { maxActive: 1 });
  const client = clientOf(app);
  ahead = Array.from({ length: 4 }, (_, n) => newUser(`ahead${n}`));
  for (const other of ahead) await client.createSession(other);
  await next();
  user = newUser("visitor");
});
const next = () => clientOf(app).closeSession(ahead.shift() as string);
/** Of a part of the notices, or of what holds them. */
const styleOf = (page: Page, part: string, name: string) =>
  page.evaluate(`{
    const host = document.querySelector("keybeat-notices");
    getComputedStyle(${part ? `host.shadowRoot.querySelector("${part}")` : "host"}).${name};
  }`);
const spoken = (page: Page) => page.locator("keybeat-notices [role=status]");

describe("the notice", () => {
  it("says the place and the estimate, moves up, and says when it is the user's turn", async () => {
    const page = await visitors.open({ user });
    await notice(page, "You are number 3 in line").waitFor();
    await notice(page, /about \d+ minutes?/).waitFor();
    await next();
    await notice(page, "You are number 2 in line").waitFor();
    await next();
    await next();
    await notice(page, "It is your turn").waitFor();
    expect(await notice(page, "").count()).toBe(1);
    expect(await clientOf(app).checkPosition(user)).toMatchObject({ status: "active" });
    await takePicture(page, "turn");
  });

  it("has no estimate where the service has none", async () => {
    await resetRoom(db, { maxActive: 0 });
    const page = await visitors.open({ user });
    await notice(page, "You are number 1 in line").waitFor();
    expect(await page.locator("keybeat-notices .detail").textContent()).toBe("");
  });

  it("does not come up for who is let in at once", async () => {
    await resetRoom(db);
    const page = await visitors.open({ user });
    await expect
      .poll(() =>
        clientOf(app)
          .checkPosition(user)
          .catch(() => {}),
      )
      .toMatchObject({ status: "active" });
    await page.waitForTimeout(500);
    expect(await page.locator("keybeat-notices").count()).toBe(0);
  });

  it("is read aloud, but a step that follows at once is not", async () => {
    const page = await visitors.open({ user });
    await spoken(page).filter({ hasText: "You are number 3 in line, about" }).waitFor();
    await next();
    await notice(page, "You are number 2 in line").waitFor();
    expect(await spoken(page).textContent()).toContain("number 3");
    await spoken(page).filter({ hasText: "number 2" }).waitFor();
    await next();
    await next();
    await spoken(page).filter({ hasText: "It is your turn" }).waitFor({ timeout: 5_000 });
  }, 30_000);

  it("leaves the focus where it is, is dismissed by keyboard, and comes back only for the turn", async () => {
    const page = await visitors.open({ user });
    await page.getByLabel("Your wish").focus();
    await notice(page, "number 3").waitFor();
    expect(await page.evaluate("document.activeElement.tagName")).toBe("INPUT");
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await notice(page, "").waitFor({ state: "detached" });
    expect(await page.evaluate("document.activeElement.tagName")).toBe("INPUT");
    await next();
    await page.waitForTimeout(1_500);
    expect(await notice(page, "").count()).toBe(0);
    await next();
    await next();
    await notice(page, "It is your turn").waitFor();
    await page.getByRole("button", { name: "Dismiss" }).click();
    await notice(page, "").waitFor({ state: "detached" });
  });

  it("stands at the top right, and over the whole width of a phone", async () => {
    for (const [width, left, right] of [
      [1280, 1280 - 16 - 360, 16],
      [390, 8, 8],
    ] as const) {
      const page = await visitors.open({ user }, { viewport: { width, height: 844 } });
      const shown = notice(page, "number 3");
      await shown.waitFor();
      await page.waitForTimeout(500); // slid in
      const box = await shown.boundingBox();
      expect([width, box?.x, width - (box?.x ?? 0) - (box?.width ?? 0)]).toEqual([width, left, right]);
      expect(box?.y).toBeLessThanOrEqual(16);
      expect(await page.evaluate("document.documentElement.scrollWidth")).toBe(width);
      await takePicture(page, `notice-${width}`);
    }
  });

  it("slides in, but not for who wants less motion", async () => {
    for (const [reducedMotion, name] of [
      ["no-preference", "slide-in"],
      ["reduce", "none"],
    ] as const) {
      const page = await visitors.open({ user }, { reducedMotion });
      const shown = notice(page, "number 3");
      await shown.waitFor();
      expect(await styleOf(page, ".card", "animationName")).toBe(name);
    }
  });

  it("is dark where the visitor likes it dark", async () => {
    for (const [colorScheme, background] of [
      ["light", "rgb(255, 255, 255)"],
      ["dark", "rgb(25, 31, 41)"],
    ] as const) {
      const page = await visitors.open({ user }, { colorScheme });
      const shown = notice(page, "number 3");
      await shown.waitFor();
      expect(await styleOf(page, ".card", "backgroundColor")).toBe(background);
      await takePicture(page, `notice-${colorScheme}`);
    }
  });

  it.each([
    ["by the page's language", { lang: "ko" }, "en-GB"],
    ["by the element's", { attributes: 'lang="ko-KR"' }, "en-GB"],
    ["by the browser's, where the page has none", { lang: "" }, "ko-KR"],
  ])("speaks Korean %s", async (_, visit, locale) => {
    const page = await visitors.open({ user, ...visit }, { locale });
    await notice(page, "대기 순번 3번입니다").waitFor();
    await notice(page, /약 \d+분 남음/).waitFor();
    expect(await page.getByRole("button", { name: "닫기" }).count()).toBe(1);
    await takePicture(page, "korean-waiting");
    for (const _ of [1, 2, 3]) await next();
    await notice(page, "입장하실 차례입니다").waitFor();
    await takePicture(page, "korean-turn");
  });

  it("is not broken by the rules of the page", async () => {
    const page = await visitors.open({ user });
    await notice(page, "number 3").waitFor();
    await page.evaluate(`{
      const sheet = new CSSStyleSheet();
      sheet.replaceSync("keybeat-notices, section, p { display: none !important; position: static !important; color: red !important }");
      document.adoptedStyleSheets = [sheet];
    }`);
    expect(await notice(page, "number 3").isVisible()).toBe(true);
    expect(await styleOf(page, "", "position")).toBe("fixed");
    expect(await styleOf(page, ".title", "color")).not.toBe("rgb(255, 0, 0)");
  });

  it("shows its words also where the style sheet cannot be had", async () => {
    const context = await visitors.context();
    await context.route("**/widget.css", (route) => route.abort());
    const page = await visitors.open({ user }, context);
    await notice(page, "number 3").waitFor();
  });

  it.each(["light", "dark"] as const)(
    "is one that axe finds nothing in, in %s colours, wide and on a phone",
    async (colorScheme) => {
      for (const width of [1280, 390]) {
        const page = await visitors.open({ user }, { colorScheme, viewport: { width, height: 844 } });
        await notice(page, "number 3").waitFor();
        await page.waitForTimeout(500); // half transparent, it has other contrasts
        expect([width, await violations(page)]).toEqual([width, []]);
        await clientOf(app).closeSession(user);
        await notice(page, "given up").waitFor();
        await page.waitForTimeout(500);
        expect([width, await violations(page)]).toEqual([width, []]);
        await takePicture(page, `given-up-${colorScheme}-${width}`);
        await page.close();
        await resetRoomLike();
      }
      const page = await visitors.open({ user }, { colorScheme });
      await notice(page, "number 3").waitFor();
      for (const _ of [1, 2, 3]) await next();
      await notice(page, "It is your turn").waitFor();
      await page.waitForTimeout(500);
      expect(await violations(page)).toEqual([]);
    },
    60_000,
  );
  /** The visitor's page has given its place back; it is to be the third again. */
  const resetRoomLike = () => clientOf(app).closeSession(user);
});

describe("trouble", () => {
  it("a full line is said, and tried again when asked to", async () => {
    await resetRoom(db, { maxActive: 0, maxWaiting: 0 });
    const page = await visitors.open({ user });
    await notice(page, "The line is full").waitFor();
    await takePicture(page, "full");
    await db.sql`UPDATE waiting_room SET max_waiting = 10`;
    await page.getByRole("button", { name: "Try again" }).click();
    await notice(page, "You are number 1 in line").waitFor();
  });

  it("a place that was lost is said, and taken anew when asked to", async () => {
    const page = await visitors.open({ user });
    await notice(page, "number 3").waitFor();
    await clientOf(app).closeSession(user);
    await notice(page, "Your place was given up").waitFor();
    await page.getByRole("button", { name: "Line up again" }).click();
    await notice(page, "You are number 3 in line").waitFor();
  });

  it("a service that cannot be reached is said, while waiting too, and forgotten when it is back", async () => {
    const context = await visitors.context();
    const page = await visitors.open({ user }, context);
    await notice(page, "number 3").waitFor();
    await context.route("**/api/v1/session/**", (route) => route.abort());
    await page.evaluate("dispatchEvent(new Event('online'))");
    await notice(page, "No connection").waitFor();
    await takePicture(page, "offline");
    await context.unroute("**/api/v1/session/**");
    await notice(page, "number 3").waitFor();
  });
});

describe("widget.js and widget.css", () => {
  const get = (name: string, headers: Record<string, string> = {}) =>
    fetch(`${app.url}/api/v1/session/${name}`, { headers });

  it("are less than 8.5 KiB together, gzipped", () => {
    const sizes = ["js", "css"].map((type) => readFileSync(`dist/assets/waiting-room/widget.${type}.gz`).length);
    console.log(`widget.js and widget.css: ${sizes.join(" + ")} bytes gzipped`);
    expect(sizes.reduce((sum, size) => sum + size)).toBeLessThan(8_704);
    expect(Math.min(...sizes)).toBeGreaterThan(500);
  });

  it("are loaded by any origin, compressed, and sent again only if they have changed", async () => {
    for (const [name, type] of [
      ["widget.js", "text/javascript; charset=utf-8"],
      ["widget.css", "text/css; charset=utf-8"],
    ] as const) {
      const first = await get(name, { "Accept-Encoding": "gzip" });
      expect([first.status, first.headers.get("content-type")]).toEqual([200, type]);
      expect(first.headers.get("content-encoding")).toBe("gzip");
      expect(first.headers.get("cross-origin-resource-policy")).toBeNull();
      const known = { "Accept-Encoding": "gzip", "If-None-Match": first.headers.get("etag") ?? "" };
      expect((await get(name, known)).status).toBe(304);
    }
  });
});
