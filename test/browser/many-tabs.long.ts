/**
 * Eight tabs of one browser over plain http, where a page has no locks and a host gets six connections: with a stream
 * each, the seventh tab would never load. The tabs of a browser without a screen all count as in view.
 */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { BrowserContext, Page, Request } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Session, startSession } from "../../src/client/index.ts";
import { newUser, resetRoom } from "../sessions/waiting-room/support/room.ts";
import { ADMIN_TOKEN, useApp } from "../support/app.ts";
import { useBrowser } from "../support/browser.ts";
import { useDatabase } from "../support/database.ts";
import { bundleClient } from "./support/client-bundle.ts";

const TABS = 8;
/** Eight pages are slow to load where everything else is under way. */
const TIMEOUT_MS = 180_000;
const db = useDatabase();
const app = useApp(db, { adminToken: ADMIN_TOKEN, corsOrigins: ["*"] });
let site: Server;
let context: BrowserContext;
let streams: Set<Request>;
const host = (url: string) => url.replace("127.0.0.1", "keybeat.test");

beforeAll(async () => {
  const script = await bundleClient();
  site = createServer((_, response) => {
    const user = `<script src="${host(app.url)}/api/v1/session/widget.js"></script>`;
    response
      .setHeader("Content-Type", "text/html")
      .end(`<!doctype html>${user}<script type="module">${script}</script>`);
  });
  await new Promise<void>((resolve) => site.listen(0, "127.0.0.1", resolve));
});
afterAll(async () => {
  site?.closeAllConnections();
  site?.close();
});
const browser = useBrowser(["--host-resolver-rules=MAP keybeat.test 127.0.0.1, MAP shop.test 127.0.0.1"]);

beforeEach(async () => {
  streams = new Set();
  context = await browser().newContext({ locale: "en-GB" });
  context.setDefaultTimeout(60_000);
  context.on("request", (request) => /\/(watch|events)(\/|$)/.test(request.url()) && streams.add(request));
  for (const event of ["requestfinished", "requestfailed"] as const) {
    context.on(event as "requestfailed", (request) => streams.delete(request));
  }
});
afterEach(() => context.close());

const openStreams = () => [...streams].filter((request) => !request.frame().page().isClosed());

async function openTabs(address: string): Promise<Page[]> {
  const pages: Page[] = [];
  for (let n = 0; n < TABS; n++) {
    const page = await context.newPage();
    await page.goto(address);
    pages.push(page);
  }
  return pages;
}
const shopAddress = () => `http://shop.test:${(site.address() as AddressInfo).port}/`;

describe("eight tabs over plain http", () => {
  it(
    "with the SDK each start and keep a session of their own, two of them with a stream",
    async () => {
      const pages = await openTabs(shopAddress());
      expect(await pages[0]?.evaluate("isSecureContext")).toBe(false);
      const keys: string[] = [];
      for (const page of pages) {
        const { key } = await db.makeKey();
        keys.push(key);
        const state = await page.evaluate(
          async ([url, accessKey]) => {
            const window = globalThis as unknown as { startSession: typeof startSession; session: Session };
            window.session = await window.startSession({ url: url as string, accessKey: accessKey as string });
            return window.session.state;
          },
          [host(app.url), key],
        );
        expect(state).toBe("live");
      }
      await expect.poll(() => openStreams().length).toBe(2);
      // A tab with a stream learns of a takeover at once; a tab that closes passes its turn on.
      await app.post("/api/session/start", { access_key: keys[0] });
      await pages[0]?.waitForFunction(() => (globalThis as unknown as { session: Session }).session.state === "lost");
      await expect.poll(() => openStreams().length).toBe(2);
      await pages[1]?.close();
      await expect.poll(() => openStreams().length).toBe(2);
      // The connections that are left are for everything else, a ninth tab too.
      const ninth = await context.newPage();
      await ninth.goto(shopAddress());
      const reached = await pages[7]?.evaluate(
        async (url) => (await fetch(`${url}/health`, { mode: "no-cors" })).type,
        host(app.url),
      );
      expect(reached).toBe("opaque");
    },
    TIMEOUT_MS,
  );

  it(
    "give the stream to a tab in view when the one that has it is hidden, and the last one keeps it",
    async () => {
      const pages = await openTabs(shopAddress());
      for (const page of pages.slice(0, 3)) {
        const { key } = await db.makeKey();
        await page.evaluate(
          async ([url, accessKey]) => {
            const window = globalThis as unknown as { startSession: typeof startSession; session: Session };
            window.session = await window.startSession({ url: url as string, accessKey: accessKey as string });
          },
          [host(app.url), key],
        );
      }
      const holders = () => new Set(openStreams().map((request) => pages.indexOf(request.frame().page())));
      await expect.poll(holders).toEqual(new Set([0, 1]));
      await setHidden(pages[0] as Page, true);
      await expect.poll(holders).toEqual(new Set([1, 2]));
      await setHidden(pages[0] as Page, false);
      for (const n of [0, 1, 2]) await setHidden(pages[n] as Page, true);
      // They keep two: what comes on these wakes the others, whose timers sleep.
      await expect.poll(holders).toEqual(new Set([0, 1]));
    },
    TIMEOUT_MS,
  );

  it(
    "with the widget each show their user's place, one of them with the stream",
    async () => {
      await resetRoom(db, { maxActive: 1 });
      await app.post("/api/v1/session/create", { user_id: newUser("seated"), session_id: "s" });
      const pages = await openTabs(shopAddress());
      for (const [n, page] of pages.entries()) {
        await page.evaluate(
          `document.body.innerHTML = '<keybeat-waiting-room user-id="${newUser("tab")}"></keybeat-waiting-room>'`,
        );
        await page
          .locator("keybeat-notices section")
          .filter({ hasText: `number ${n + 1} in line` })
          .waitFor();
      }
      expect(openStreams().length).toBe(1);
      await pages[0]?.close();
      await expect.poll(() => openStreams().length).toBe(1);
    },
    TIMEOUT_MS,
  );

  it(
    "with the operators' page all load, and see what happens as it happens, by one stream",
    async () => {
      const first = await context.newPage();
      await first.goto(`${host(app.url)}/admin`);
      await first.getByLabel("Admin token").fill(ADMIN_TOKEN);
      await first.keyboard.press("Enter");
      const pages = [first, ...(await openTabs(`${host(app.url)}/admin`))];
      for (const page of pages) await page.locator(".link-state[data-state=live]").waitFor();
      expect(openStreams().length).toBe(1);
      const { key } = await db.makeKey({ label: "Many tabs" });
      await app.post("/api/session/start", { access_key: key, device: { name: "PC" } });
      await first.waitForTimeout(2_500); // what happened before the first look is not news
      await app.post("/api/session/start", { access_key: key, device: { name: "Laptop" } });
      for (const page of pages) await page.getByText("Laptop replaced PC").waitFor();
      await first.close();
      await expect.poll(() => openStreams().length).toBe(1);
      await app.post("/api/session/start", { access_key: key, device: { name: "Tablet" } });
      for (const page of pages.slice(1)) await page.getByText("Tablet replaced Laptop").waitFor();
    },
    TIMEOUT_MS,
  );
});

/** A browser without a screen hides no tab. */
async function setHidden(page: Page, hidden: boolean): Promise<void> {
  await page.evaluate(`{
    Object.defineProperty(document, "hidden", { configurable: true, value: ${hidden} });
    document.dispatchEvent(new Event("visibilitychange"));
  }`);
}
