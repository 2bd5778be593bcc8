/** /key in a real Chromium: the owner of a key sees who uses it, and signs that device out. */
import type { BrowserContextOptions, Page } from "playwright-core";
import { afterEach, describe, expect, it } from "vitest";
import { takePicture, violations } from "../../../client/waiting-room/page/support/visitor.ts";
import { useApp } from "../../../support/app.ts";
import { useBrowser } from "../../../support/browser.ts";
import { useDatabase } from "../../../support/database.ts";
import { newAccessKey, newSessionId } from "../../../support/secrets.ts";

const db = useDatabase();
const app = useApp(db);
const browser = useBrowser();
const faults: string[] = [];
/** Every address that the page asked for. */
const asked: string[] = [];

afterEach(async () => {
  await Promise.all(
    browser()
      .contexts()
      .map((context) => context.close()),
  );
  expect(faults.splice(0)).toEqual([]);
  asked.length = 0;
});

async function open(options: BrowserContextOptions = {}, search = ""): Promise<Page> {
  const page = await (await browser().newContext({ locale: "en-GB", timezoneId: "UTC", ...options })).newPage();
  page.setDefaultTimeout(60_000);
  page.on("pageerror", (error) => faults.push(String(error)));
  page.on("request", (sent) => {
    asked.push(sent.url());
    if (!/^data:/.test(sent.url()) && !sent.url().startsWith(`${app.url}/`)) faults.push(sent.url());
  });
  page.on("console", (said) => /Content Security Policy|Trusted/.test(said.text()) && faults.push(said.text()));
  await page.goto(`${app.url}/key${search}`);
  return page;
}

async function start(access_key: string, device: object | undefined) {
  const session_id = newSessionId();
  await app.post("/api/session/start", { access_key, session_id, device });
  return session_id;
}
/** A key with a past, which the office PC holds. */
async function keyInUse(device: object | undefined = { name: "Office PC", platform: "windows", app_version: "2.1.0" }) {
  const { key, id } = await db.makeKey();
  await start(key, { name: "Laptop" });
  const ended = await start(key, { name: "Phone" });
  await app.post("/api/session/end", { session_id: ended });
  await start(key, { name: "Tablet" });
  await db.age(id, 61);
  const session_id = await start(key, device);
  await db.sql`UPDATE session_history SET ended_at = '2026-03-02T12:00:00Z' WHERE key_id = ${id}`;
  return { key, id, session_id };
}

async function look(page: Page, key: string): Promise<void> {
  await page.getByLabel("Access key").fill(key);
  await page.getByRole("button", { name: "Show" }).click();
}
const beat = async (session_id: string) => (await app.post("/api/session/heartbeat", { session_id })).body;
const alert = (page: Page) => page.getByRole("alert");

describe("the page /key", () => {
  it("works where the browser's language is no language tag", async () => {
    const { key } = await keyInUse();
    const page = await open();
    await page.addInitScript({ content: 'Object.defineProperty(navigator, "language", { value: "en-US@posix" })' });
    await page.reload();
    await look(page, key);
    await page.getByText(/^Since \w+ \d+, \d{4}/).waitFor();
  });

  it("shows which device uses the key since when, and how the last sessions ended", async () => {
    const { key, session_id } = await keyInUse();
    const page = await open();
    await look(page, key);
    await page.getByText("Office PC", { exact: true }).waitFor();
    await page.getByText("windows · 2.1.0").waitFor();
    await page.getByText(/^Since \d+ \w+ \d{4}/).waitFor();
    expect(await page.locator("#endings li").allInnerTexts()).toEqual([
      "2 March 2026\nThe device fell silent",
      "2 March 2026\nThe app was closed, or signed out here",
      "2 March 2026\nAnother device took over",
    ]);
    expect(await beat(session_id)).toMatchObject({ success: true });
  });

  it("signs the device out only after a confirmation, by keyboard alone", async () => {
    const { key, session_id } = await keyInUse();
    const page = await open();
    await page.keyboard.press("Tab");
    await page.keyboard.type(key);
    await page.keyboard.press("Enter");
    await page.getByText("Office PC", { exact: true }).waitFor();
    const signOut = page.getByRole("button", { name: "Sign this device out" });
    await signOut.focus();
    await page.keyboard.press("Enter");
    await page.getByRole("dialog", { name: "Sign out: Office PC?" }).waitFor();
    await page.keyboard.press("Escape");
    expect(await beat(session_id)).toMatchObject({ success: true });
    await signOut.focus();
    await page.keyboard.press("Enter");
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await page.getByRole("status").filter({ hasText: "The device is signed out." }).waitFor();
    await page.getByText("No device uses this key.").waitFor();
    expect(await beat(session_id)).toMatchObject({
      code: "session_ended",
      reason: "Signed out by the owner of the key",
    });
    expect(await page.locator("#endings li").count()).toBe(4);
  });

  it("signs out no device that has started meanwhile, and shows that one", async () => {
    const { key } = await keyInUse();
    const page = await open();
    await look(page, key);
    await page.getByRole("button", { name: "Sign this device out" }).click();
    const newcomer = await start(key, { name: "Jun's laptop" });
    await page.getByRole("button", { name: "Sign out", exact: true }).click();
    await alert(page).filter({ hasText: "Another device has started in the meantime." }).waitFor();
    await page.getByText("Jun's laptop", { exact: true }).waitFor();
    expect(await beat(newcomer)).toMatchObject({ success: true });
  });

  it("says until when a device holds the key offline", async () => {
    const { key, id } = await db.makeKey();
    await db.sql`
      INSERT INTO leases (key_id, lease_id, session_id, generation, issued_at, until)
      VALUES (${id}, 'a-lease', 'a-session-that-ended', 1, '2026-01-01T00:00Z', '2099-03-02T09:15:59Z')`;
    const page = await open();
    await look(page, key);
    await page.getByText("Held for work offline until 2 March 2099 at 09:15.").waitFor();
    await takePicture(page, "key-leased");
  });

  it("says what is wrong with a key, and that a service is away", async () => {
    const page = await open();
    await look(page, newAccessKey());
    await alert(page).filter({ hasText: "There is no such access key." }).waitFor();
    await page.route("**/api/session/*", (route) => route.abort());
    await look(page, newAccessKey());
    await alert(page).filter({ hasText: "The service cannot be reached." }).waitFor();
    await page.unroute("**/api/session/*");
    const { key } = await db.makeKey();
    await look(page, key);
    await page.getByText("No device uses this key.").waitFor();
    await page.getByText("Nothing yet.").waitFor();
    expect(await alert(page).textContent()).toBe("");
  });

  it("keeps the key out of every address, every storage and the page's own history, and forgets what it showed with the field", async () => {
    const { key } = await keyInUse();
    const page = await open();
    await look(page, key);
    await page.getByText("Office PC", { exact: true }).waitFor();
    expect(asked.length).toBeGreaterThan(4);
    expect(asked.filter((url) => url.includes(key.slice(0, 12)))).toEqual([]);
    const kept = await page.evaluate(
      "JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie, location.href, history.state])",
    );
    expect(kept).toBe(JSON.stringify([{}, {}, "", `${app.url}/key`, null]));
    await page.getByLabel("Access key").pressSequentially("x");
    expect(await page.getByText("Office PC", { exact: true }).isVisible()).toBe(false);
  });

  it("sends the key nowhere where scripts do not run", async () => {
    const { key } = await db.makeKey();
    const page = await open({ javaScriptEnabled: false });
    await page.getByLabel("Access key").fill(key);
    asked.length = 0;
    await page.keyboard.press("Enter");
    await page.waitForTimeout(500);
    expect(asked).toEqual([]);
    expect(page.url()).toBe(`${app.url}/key`);
    faults.length = 0; // the browser says that the policy has held the form back
  });

  it("cannot be framed, is kept by nobody, and loads nothing from elsewhere", async () => {
    const { headers, status } = await app.fetch(new Request(`${app.url}/key`));
    expect(status).toBe(200);
    expect(headers.get("cache-control")).toBe("no-store");
    expect(headers.get("referrer-policy")).toBe("no-referrer");
    const policy = headers.get("content-security-policy") ?? "";
    for (const rule of ["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "form-action 'none'"]) {
      expect(policy.split("; ")).toContain(rule);
    }
    expect(policy).not.toMatch(/unsafe|https?:|\*/);
  });

  it("speaks the visitor's language, and the one that the vendor's link asks for", async () => {
    const { key } = await keyInUse();
    for (const page of [await open({ locale: "ko-KR" }), await open({}, "?lang=ko")]) {
      await page.getByRole("heading", { name: "내 액세스 키" }).waitFor();
      expect(await page.evaluate("document.documentElement.lang")).toBe("ko");
      expect(await page.title()).toBe("내 액세스 키");
      await page.getByLabel("액세스 키").fill(key);
      await page.getByRole("button", { name: "확인" }).click();
      await page.getByText("Office PC", { exact: true }).waitFor();
      await takePicture(page, "key-korean");
    }
  });

  it("is readable for everybody: light, dark, narrow, with a long name, and while it asks", async () => {
    const long = await keyInUse({ name: `${"The very long name of a computer ".repeat(3)}`.slice(0, 100) });
    for (const [name, options] of [
      ["light", {}],
      ["dark", { colorScheme: "dark" }],
      ["narrow", { viewport: { width: 390, height: 800 } }],
      ["narrow-dark", { viewport: { width: 320, height: 640 }, colorScheme: "dark" }],
    ] as Array<[string, BrowserContextOptions]>) {
      const { key } = name === "narrow-dark" ? long : await keyInUse();
      const page = await open(options);
      expect(await violations(page)).toEqual([]);
      await look(page, key);
      await page.getByRole("button", { name: "Sign this device out" }).waitFor();
      await takePicture(page, `key-${name}`);
      expect(await violations(page)).toEqual([]);
      expect(await page.evaluate("document.documentElement.scrollWidth <= innerWidth")).toBe(true);
      await page.getByRole("button", { name: "Sign this device out" }).click();
      await takePicture(page, `key-${name}-sure`);
      expect(await violations(page)).toEqual([]);
      await page.getByRole("button", { name: "Sign out", exact: true }).click();
      await page.getByText("The device is signed out.").waitFor();
      await takePicture(page, `key-${name}-done`);
      await look(page, newAccessKey());
      await alert(page).filter({ hasText: "There is no such access key." }).waitFor();
      expect(await violations(page)).toEqual([]);
      await takePicture(page, `key-${name}-unknown`);
    }
  });
});
