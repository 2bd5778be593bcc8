/** Visitors of a page that has the widget: another origin than the service, with a policy of its own, in a real Chromium. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import axe from "axe-core";
import type { Browser, BrowserContext, BrowserContextOptions, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect } from "vitest";
import type { TestApp } from "../../../../support/app.ts";
import { openBrowser } from "../../../../support/browser.ts";

export interface Visit {
  /** Has <keybeat-waiting-room> for this user. */
  user?: string;
  /** Of the page. */
  lang?: string;
  /** More attributes of the element. */
  attributes?: string;
  /** In the page's head. */
  head?: string;
  path?: string;
}

export interface Visitors {
  context(options?: BrowserContextOptions): Promise<BrowserContext>;
  /** A page in a new context, unless it is another tab of one. */
  open(visit: Visit, options?: BrowserContextOptions | BrowserContext): Promise<Page>;
  /** Where the page is. */
  address(visit: Visit): string;
}

export function useVisitors(app: Pick<TestApp, "url">): Visitors {
  let browser: Browser;
  let host: Server;
  const contexts: BrowserContext[] = [];
  const faults: string[] = [];
  const address = ({ path = "/", ...visit }: Visit) =>
    `http://127.0.0.1:${(host.address() as AddressInfo).port}${path}?visit=${encodeURIComponent(JSON.stringify(visit))}`;

  beforeAll(async () => {
    host = createServer((request, response) => {
      const visit = new URL(request.url ?? "", "http://host").searchParams.get("visit");
      response.setHeader("Content-Type", "text/html; charset=utf-8");
      response.setHeader("Content-Security-Policy", policyFor(app.url));
      response.end(visit === null ? "" : writePage(app.url, JSON.parse(visit)));
    });
    await new Promise<void>((resolve) => host.listen(0, "127.0.0.1", resolve));
    browser = await openBrowser();
  });
  afterEach(async () => {
    await Promise.all(contexts.splice(0).map((context) => context.close()));
    expect(faults.splice(0)).toEqual([]);
  });
  afterAll(async () => {
    await browser?.close();
    host?.closeAllConnections();
    host?.close();
  });

  const visitors: Visitors = {
    address,
    async context(options = {}) {
      const context = await browser.newContext({ locale: "en-GB", ...options });
      context.setDefaultTimeout(60_000);
      contexts.push(context);
      return context;
    },
    async open(visit, options = {}) {
      const context = "newPage" in options ? options : await visitors.context(options);
      const page = await context.newPage();
      page.on("pageerror", (error) => faults.push(String(error)));
      page.on("console", (said) => /Content Security Policy|Trusted/.test(said.text()) && faults.push(said.text()));
      await page.goto(address(visit));
      return page;
    },
  };
  return visitors;
}

/** What a careful page allows: the service, for scripts, styles and calls, and nothing inline. */
const policyFor = (service: string) =>
  `default-src 'none'; script-src ${service}; style-src ${service}; connect-src ${service}; require-trusted-types-for 'script'`;

const writePage = (service: string, { user, lang = "en", attributes = "", head = "" }: Visit) => `<!doctype html>
<html lang="${lang}">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>A shop</title>
<meta name="color-scheme" content="light dark">
<script src="${service}/api/v1/session/widget.js"></script>${head}</head>
<body><main><h1>Tickets</h1><p>The sale has begun.</p><label>Your wish <input></label></main>
${user === undefined ? "" : `<keybeat-waiting-room user-id="${user}" ${attributes}></keybeat-waiting-room>`}
</body></html>`;

/** The notice that says so. */
export const notice = (page: Page, text: string | RegExp) =>
  page.locator("keybeat-notices section").filter({ hasText: text });

/** The rules of WCAG 2.2 A and AA and axe's best practices, shadow roots included. */
export async function violations(page: Page): Promise<string[]> {
  await page.evaluate(axe.source);
  // To look into another origin's style sheet it would have to write one into the page, which the page forbids.
  const { violations } = (await page.evaluate("axe.run({ preload: false })")) as axe.AxeResults;
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(" ")}`);
}

/** Looks at pictures: SCREENSHOTS names a folder for them. */
export async function takePicture(page: Page, name: string): Promise<void> {
  const folder = process.env.SCREENSHOTS;
  if (!folder) return;
  await page.waitForTimeout(500); // slid in
  await page.screenshot({ path: `${folder}/${name}.png` });
}
