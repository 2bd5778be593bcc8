/** /docs in a real Chromium: it works under its own policy, loads nothing from elsewhere, and calls its own service. */
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { useBrowser } from "../support/browser.ts";
import { useDatabase } from "../support/database.ts";
import { type RunningServer, startServer } from "../support/process.ts";

const ADMIN_TOKEN = "an-admin-token-for-the-docs";
const db = useDatabase();
let server: RunningServer;

beforeAll(async () => {
  server = await startServer({ DATABASE_URL: db.url, CLEANUP_CRON: "", ADMIN_TOKEN });
});
afterAll(async () => {
  await server?.stop();
});
const browser = useBrowser();

interface Look {
  page: Page;
  /** What the browser complained about, and requests to other hosts. */
  faults: string[];
}

async function openDocs(options: { dark?: boolean; width?: number; path?: string } = {}): Promise<Look> {
  const context = await browser().newContext({
    colorScheme: options.dark ? "dark" : "light",
    viewport: { width: options.width ?? 1200, height: 900 },
  });
  const page = await context.newPage();
  const faults: string[] = [];
  page.on("console", (message) => ["error", "warning"].includes(message.type()) && faults.push(message.text()));
  page.on("pageerror", (error) => faults.push(String(error)));
  page.on("request", (sent) => {
    if (!sent.url().startsWith(server.url) && !sent.url().startsWith("data:")) faults.push(`foreign: ${sent.url()}`);
  });
  await page.goto(server.url + (options.path ?? "/docs"));
  await page.waitForSelector(".opblock");
  return { page, faults };
}

const operation = (page: Page, id: string) => page.locator(`.opblock[id$="-${id}"]`);

async function open(page: Page, id: string) {
  const block = operation(page, id);
  await block.locator(".opblock-summary-control").click();
  await block.locator(".execute").waitFor();
  return block;
}

/** Runs the call that is filled in, and gives what the page then shows of the answer. */
async function execute(page: Page, id: string, fill?: { body: object }): Promise<string> {
  const block = operation(page, id);
  if (fill) await block.locator("textarea.body-param__text").fill(JSON.stringify(fill.body));
  const [answer] = await Promise.all([
    page.waitForResponse((response) => response.url().includes("/api/")),
    block.locator(".execute").click(),
  ]);
  const { request_id } = (await answer.json()) as { request_id?: string };
  const row = block.locator(".live-responses-table tbody tr.response", { hasText: request_id ?? "success" });
  return (await row.textContent()) ?? "";
}

describe("/docs in a browser", () => {
  it("shows every operation, keeps its own policy, and asks no other host", async () => {
    const { page, faults } = await openDocs();
    const document = (await server.get("/openapi.json")).body;
    const described = Object.values(document.paths as object).flatMap((item) => Object.keys(item)).length;
    expect(await page.locator(".opblock").count()).toBe(described);
    await open(page, "startSession");
    expect(faults).toEqual([]);
  });

  it("has a policy that is in force: what it forbids does not happen", async () => {
    const { page, faults } = await openDocs();
    const ran = await page.evaluate(`(async () => {
      const script = document.createElement("script");
      script.textContent = "globalThis.inlineRan = true";
      document.body.append(script);
      document.body.insertAdjacentHTML("beforeend", '<img src="nothing:" onerror="globalThis.inlineRan = true">');
      await new Promise((resolve) => setTimeout(resolve, 200));
      return "inlineRan" in globalThis;
    })()`);
    expect(ran).toBe(false);
    expect(faults.join("\n")).toMatch(/violates the following Content Security Policy/);
  });

  it("starts a session and shows its answer, then the refusal of a wrong key", async () => {
    const { key } = await db.makeKey();
    const { page, faults } = await openDocs();
    await open(page, "startSession");
    const started = await execute(page, "startSession", { body: { access_key: key, device: { name: "Docs" } } });
    expect(started).toMatch(/^200.*"success": true/s);
    const status = await server.post("/api/session/status", { access_key: key });
    expect(status.body.session.device).toEqual({ name: "Docs" });
    const refused = await execute(page, "startSession", { body: { access_key: `${key}x` } });
    expect(refused).toMatch(/^403.*"code": "invalid_key"/s);
    expect(faults.filter((fault) => !/status of 403/.test(fault))).toEqual([]); // Chromium notes each 4xx itself
  });

  it("calls the operator's routes with the token that its reader gives", async () => {
    const { page } = await openDocs();
    await open(page, "cleanUpSessions");
    expect(await execute(page, "cleanUpSessions")).toMatch(/^401/);
    await page.locator(".btn.authorize").first().click();
    const dialog = page.locator(".modal-ux");
    await dialog.locator(".auth-container", { hasText: "adminToken" }).locator("input").fill(ADMIN_TOKEN);
    await dialog.locator(".auth-container", { hasText: "adminToken" }).locator("button.authorize").click();
    await dialog.locator(".close-modal").click();
    expect(await execute(page, "cleanUpSessions")).toMatch(/^200.*"deleted": 0/s);
  });

  it.each([
    ["light", false, 1200, "rgb(250, 250, 250)"],
    ["dark", true, 1200, "rgb(28, 32, 34)"],
    ["a narrow light", false, 360, "rgb(250, 250, 250)"],
    ["a narrow dark", true, 360, "rgb(28, 32, 34)"],
  ])("fits %s screen, opened operations included", async (_name, dark, width, ground) => {
    const { page, faults } = await openDocs({ dark, width });
    await open(page, "startSession");
    const seen = await page.evaluate(`({
      ground: getComputedStyle(document.body).backgroundColor,
      wide: document.documentElement.scrollWidth - innerWidth,
    })`);
    expect(seen).toEqual({ ground, wide: 0 });
    expect(faults).toEqual([]);
  });
});
