/** The TypeScript SDK, bundled as an app would, in a page of a real Chromium, against a real server. */
import { createServer, request, type Server } from "node:http";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Session, startSession } from "../../src/client/index.ts";
import { useBrowser } from "../support/browser.ts";
import { useDatabase } from "../support/database.ts";
import { type RunningServer, startServer } from "../support/process.ts";
import { bundleClient } from "./support/client-bundle.ts";

/** What the app's script leaves in the page. */
interface App {
  startSession: typeof startSession;
  session: Session;
  events: Array<Record<string, unknown>>;
}

const db = useDatabase();
let keybeat: RunningServer;
let site: Server;
let origin: string;

beforeAll(async () => {
  keybeat = await startServer({ DATABASE_URL: db.url, CLEANUP_CRON: "", SESSION_TIMEOUT_SECONDS: "10" });
  const script = await bundleClient();
  // The app's own site, with the service behind the same host, as behind a reverse proxy.
  site = createServer((incoming, outgoing) => {
    if (incoming.url === "/app.js") outgoing.setHeader("Content-Type", "text/javascript").end(script);
    else if (!incoming.url?.startsWith("/api/")) {
      outgoing
        .setHeader("Content-Type", "text/html")
        .end('<!doctype html><script type="module" src="/app.js"></script>');
    } else {
      const { method, headers, url } = incoming;
      const upstream = request(`${keybeat.url}${url}`, { method, headers }, (reply) => {
        outgoing.writeHead(reply.statusCode ?? 500, reply.headers);
        reply.pipe(outgoing);
      });
      upstream.on("error", () => outgoing.destroy());
      outgoing.on("close", () => upstream.destroy());
      incoming.pipe(upstream);
    }
  });
  await new Promise<void>((resolve) => site.listen(0, "127.0.0.1", resolve));
  origin = `http://127.0.0.1:${(site.address() as { port: number }).port}`;
});
afterAll(async () => {
  site?.closeAllConnections();
  site?.close();
  await keybeat?.stop();
});
const browser = useBrowser();

/** A device: a page with the app loaded, whose errors and foreign requests are collected. */
async function openDevice(): Promise<{ page: Page; faults: string[] }> {
  const page = await (await browser().newContext()).newPage();
  const faults: string[] = [];
  page.on("pageerror", (error) => faults.push(String(error)));
  page.on("request", (sent) => sent.url().startsWith(origin) || faults.push(`foreign request: ${sent.url()}`));
  await page.goto(origin);
  await page.waitForFunction(() => "startSession" in globalThis);
  return { page, faults };
}

/** Starts a session in the page; its events gather in window.events. */
const start = (page: Page, accessKey: string, name: string) =>
  page.evaluate(
    async ({ url, accessKey, name }) => {
      const app = globalThis as unknown as App;
      app.events = [];
      app.session = await app.startSession({
        url,
        accessKey,
        device: { name },
        onEvent: (event) => app.events.push({ ...event }),
      });
      return { generation: app.session.generation, state: app.session.state };
    },
    { url: origin, accessKey, name },
  );

const events = (page: Page) => page.evaluate(() => (globalThis as unknown as App).events);

describe("the SDK in a browser", () => {
  it("is told of a takeover by the stream, and its signal fires", async () => {
    const { key } = await db.makeKey();
    const [a, b] = await Promise.all([openDevice(), openDevice()]);
    const first = await start(a.page, key, "Page A");
    expect(first.state).toBe("live");
    const second = await start(b.page, key, "Page B");
    expect(second.generation).toBeGreaterThan(first.generation);
    await a.page.waitForFunction(() => (globalThis as unknown as App).session.state === "lost", null, {
      timeout: 5_000,
    });
    expect((await events(a.page)).at(-1)).toMatchObject({
      type: "lost",
      reason: "replaced",
      by: { device: { name: "Page B" } },
    });
    expect(await a.page.evaluate(() => (globalThis as unknown as App).session.signal.aborted)).toBe(true);
    expect([...a.faults, ...b.faults]).toEqual([]);
    await Promise.all([a.page.close(), b.page.close()]);
  });

  it("notices a network that fails and recovers, and keeps the session", async () => {
    const { key } = await db.makeKey();
    const { page } = await openDevice();
    await start(page, key, "Page");
    await page.context().setOffline(true);
    await page.waitForFunction(() => (globalThis as unknown as App).session.state === "degraded", null, {
      timeout: 15_000,
    });
    await page.context().setOffline(false);
    await page.waitForFunction(() => (globalThis as unknown as App).session.state === "live", null, {
      timeout: 15_000,
    });
    expect((await events(page)).map((event) => event.type)).toEqual(["live", "degraded", "recovered"]);
    await page.close();
  });

  it("gives the key back when its page goes away", async () => {
    const { key } = await db.makeKey();
    const { page } = await openDevice();
    await start(page, key, "Page");
    await page.goto("about:blank");
    await expect
      .poll(async () => (await keybeat.post("/api/session/status", { access_key: key })).body.active, {
        timeout: 5_000,
      })
      .toBe(false);
    await page.close();
  });
});
