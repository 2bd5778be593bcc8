/**
 * A real Chromium without an installation: on Linux the one that comes as a package, elsewhere an installed Chrome.
 * Nothing may be fetched from any other host, so every request is checked.
 */
import chromium from "@sparticuz/chromium";
import { type Browser, chromium as playwright } from "playwright-core";
import { afterAll, beforeAll } from "vitest";

/** The package is made for where a browser has no users: these take away what protects them, or join all pages in one. */
const UNWANTED = [
  "--disable-web-security",
  "--allow-running-insecure-content",
  "--disable-site-isolation-trials",
  "--single-process",
  "--no-zygote",
];

/** `more`: further arguments of its command line. */
export async function openBrowser(more: string[] = []): Promise<Browser> {
  if (process.platform !== "linux" || process.arch !== "x64")
    return playwright.launch({ channel: "chrome", args: more });
  const args = [...chromium.args.filter((arg) => !UNWANTED.includes(arg)), ...more];
  return playwright.launch({ args, executablePath: await chromium.executablePath(), headless: true });
}

/**
 * For a test file: one browser for all of its tests. What is registered before this (servers to stop) ends after it, as open
 * pages would keep it up.
 */
export function useBrowser(more: string[] = []): () => Browser {
  let browser: Browser | undefined;
  beforeAll(async () => {
    browser = await openBrowser(more);
  });
  afterAll(() => browser?.close());
  return () => browser as Browser;
}
