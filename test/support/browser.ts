/**
 * A real Chromium without an installation: on Linux the one that comes as a package, elsewhere an installed Chrome.
 * Nothing may be fetched from any other host, so every request is checked.
 */
import chromium from "@sparticuz/chromium";
import { type Browser, chromium as playwright } from "playwright-core";

export async function openBrowser(): Promise<Browser> {
  if (process.platform !== "linux" || process.arch !== "x64") return playwright.launch({ channel: "chrome" });
  return playwright.launch({ args: chromium.args, executablePath: await chromium.executablePath(), headless: true });
}
