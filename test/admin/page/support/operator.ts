/** An operator at the page, in a real Chromium. Nothing may be fetched from elsewhere, and nothing may go wrong unseen. */
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { afterAll, beforeAll, expect } from "vitest";
import { ADMIN_TOKEN } from "../../../support/app.ts";
import { openBrowser } from "../../../support/browser.ts";

export interface Operator {
  page: Page;
  /** Requests to other hosts, errors of scripts, and what the policy of the page has blocked. */
  faults: string[];
}

export interface Operators {
  /** At the sign-in of the service at `url`. */
  open(url: string, options?: BrowserContextOptions): Promise<Operator>;
  /** Signed in, at a view, with its lists loaded. */
  signIn(url: string, options?: BrowserContextOptions & { view?: string }): Promise<Operator>;
}

export function useOperators(): Operators {
  let browser: Browser;
  const opened: Operator[] = [];
  beforeAll(async () => {
    browser = await openBrowser();
  });
  afterAll(async () => {
    await browser?.close();
    expect(opened.flatMap(({ faults }) => faults)).toEqual([]);
  });

  const operators: Operators = {
    async open(url, options = {}) {
      const context = await browser.newContext({ locale: "en-GB", ...options });
      const page = await context.newPage();
      page.setDefaultTimeout(60_000);
      const faults: string[] = [];
      page.on("pageerror", (error) => faults.push(String(error)));
      page.on("request", (sent) => sent.url().startsWith(`${url}/`) || faults.push(`foreign request: ${sent.url()}`));
      page.on("console", (said) => /Content Security Policy|Trusted/.test(said.text()) && faults.push(said.text()));
      opened.push({ page, faults });
      await page.goto(`${url}/admin`);
      return { page, faults };
    },
    async signIn(url, { view, ...options } = {}) {
      const operator = await operators.open(url, options);
      const { page } = operator;
      await page.getByLabel("Admin token").fill(ADMIN_TOKEN);
      await page.keyboard.press("Enter");
      await page.locator("header").waitFor();
      if (view) await page.goto(`${url}/admin${view}`);
      await page.locator(".link-state[data-state=live]").waitFor();
      return operator;
    },
  };
  return operators;
}

/** The row of a list that says so. */
export const row = (page: Page, text: string) => page.getByRole("row").filter({ hasText: text });
