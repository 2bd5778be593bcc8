/** Keyboard, screen reader, phone and dark colours. */
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ADMIN_TOKEN, useApp } from "../../support/app.ts";
import { useDatabase } from "../../support/database.ts";
import { newSessionId } from "../../support/secrets.ts";
import { row, useOperators } from "./support/operator.ts";
import { violations } from "./support/violations.ts";

const db = useDatabase();
const app = useApp(db);
const operators = useOperators();
let keyId: number;
const live = new Set<string>();
let beating: ReturnType<typeof setInterval>;

async function start(access_key: string, name: string): Promise<void> {
  const session_id = newSessionId();
  await app.post("/api/session/start", { access_key, session_id, device: { name, platform: "linux" } });
  live.add(session_id);
}
/** As devices do, for as long as the tests take. */
async function beat(): Promise<void> {
  for (const session_id of live) await app.post("/api/session/heartbeat", { session_id });
}

beforeAll(async () => {
  const { key, id } = await db.makeKey({ label: "Order 1" });
  keyId = id;
  for (const name of ["PC", "Mac"]) await start(key, name);
  await start((await db.makeKey({ label: "Order 2" })).key, `The MacBook of ${"somebody ".repeat(9)}`);
  for (let n = 3; n < 40; n++) await start((await db.makeKey({ label: `Order ${n}` })).key, `Device ${n}`);
  beating = setInterval(beat, 20_000);
});
afterAll(() => clearInterval(beating));

const VIEWS = () => ["#/", "#/keys", `#/keys/${keyId}`, "#/audit"];

describe.each(["light", "dark"] as const)("axe finds nothing in %s colours", (colorScheme) => {
  it("at the sign-in", async () => {
    const { page } = await operators.open(app.url, { colorScheme });
    expect(await violations(page)).toEqual([]);
    await page.getByLabel("Admin token").fill("wrong");
    await page.keyboard.press("Enter");
    await page.getByText("missing or wrong").waitFor();
    expect(await violations(page)).toEqual([]);
  });

  it("in every view, wide and on a phone", async () => {
    const { page } = await operators.signIn(app.url, { colorScheme });
    for (const width of [1280, 390]) {
      await page.setViewportSize({ width, height: 844 });
      for (const view of VIEWS()) {
        await page.goto(`${app.url}/admin${view}`);
        await page.locator(".rows tbody tr").first().waitFor();
        expect([view, await violations(page)]).toEqual([view, []]);
      }
    }
  });

  it("in every dialog", async () => {
    const { page } = await operators.signIn(app.url, { colorScheme });
    for (const [view, name] of [
      ["#/", "Kick Mac off Order 1"],
      ["#/keys", "Create a key"],
      ["#/keys", "Import"],
      [`#/keys/${keyId}`, "Change"],
      [`#/keys/${keyId}`, "Revoke"],
      [`#/keys/${keyId}`, "Erase"],
    ] as const) {
      await page.goto(`${app.url}/admin${view}`);
      await page.getByRole("button", { name, exact: true }).click();
      await page.getByRole("dialog").waitFor();
      expect([name, await violations(page)]).toEqual([name, []]);
      await page.keyboard.press("Escape");
      await page.getByRole("dialog").waitFor({ state: "detached" });
    }
  });
});

describe("the page by keyboard alone", () => {
  const focused = (page: Page) =>
    page.evaluate(`(document.activeElement.getAttribute("aria-label") ?? document.activeElement.textContent).trim()`);
  const tabTo = async (page: Page, name: string) => {
    for (let presses = 0; presses < 60; presses++) {
      if ((await focused(page)) === name) return;
      await page.keyboard.press("Tab");
    }
    throw new Error(`${name} is not reached by Tab`);
  };

  it("signs in, skips to the content, kicks, and is back where it was", async () => {
    const { page } = await operators.open(app.url);
    await page.waitForFunction("document.activeElement?.tagName === 'INPUT'");
    await page.keyboard.type(ADMIN_TOKEN);
    await page.keyboard.press("Enter");
    await row(page, "Order 1").first().waitFor();
    await tabTo(page, "Skip to the content");
    await page.keyboard.press("Enter");
    expect(await page.evaluate("document.activeElement.id")).toBe("main");
    await tabTo(page, "Kick Device 3 off Order 3");
    await page.keyboard.press("Enter");
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });
    expect(await focused(page)).toBe("Kick Device 3 off Order 3");
    await page.keyboard.press("Enter");
    await page.keyboard.type("Out");
    await page.keyboard.press("Enter");
    await page.getByText("Kicked Device 3").waitFor();
    await row(page, "Device 3").filter({ hasText: "Order 3" }).first().waitFor({ state: "detached" });
    // The button is gone with its row; what comes next is near, not at the top of the page.
    expect(await focused(page)).toBe("Who is on now");
  });

  it("goes to a view, makes a key and copies it", async () => {
    const { page } = await operators.signIn(app.url, { permissions: ["clipboard-read", "clipboard-write"] });
    await tabTo(page, "Keys");
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Keys", exact: true }).waitFor();
    expect(await focused(page)).toBe("Keys");
    await page.keyboard.press("Tab");
    expect(await focused(page)).toBe("Create a key");
    await page.keyboard.press("Enter");
    await page.keyboard.type("By keyboard");
    await page.keyboard.press("Enter");
    await page.getByLabel("The new key").waitFor();
    expect(await focused(page)).toBe("Copy");
    await page.keyboard.press("Enter");
    await page.getByText("Copied.").waitFor();
    const shown = await page.getByLabel("The new key").inputValue();
    expect(await page.evaluate("navigator.clipboard.readText()")).toBe(shown);
    await page.keyboard.press("Escape");
    await row(page, "By keyboard").waitFor();
    expect(await focused(page)).toBe("Create a key");
  });

  it("keeps the focus on a control while its list changes", async () => {
    const { key } = await db.makeKey({ label: "Restless" });
    await start(key, "First");
    const { page } = await operators.signIn(app.url);
    await page.getByLabel("Search for").fill("restless");
    await row(page, "Order 5").waitFor({ state: "detached" });
    await page.getByRole("link", { name: "Restless" }).focus();
    await start(key, "Second");
    await row(page, "Second").waitFor();
    expect(await focused(page)).toBe("Restless");
  });
});

describe("the page on a phone", () => {
  it("shows a session in two lines", async () => {
    const { page } = await operators.signIn(app.url, { viewport: { width: 390, height: 844 } });
    await page.getByText("Page 1: 25 rows").waitFor();
    const rows = page.getByRole("table", { name: "Live sessions" }).locator("tbody tr");
    const lines: number[] = await rows.evaluateAll((all) =>
      all.map((row) => {
        const middles = [...row.children].map((cell) => {
          const { top, bottom } = cell.getBoundingClientRect();
          return (top + bottom) / 2;
        });
        return middles.sort((a, b) => a - b).filter((at, n, sorted) => n === 0 || at - (sorted[n - 1] as number) > 12)
          .length;
      }),
    );
    expect(lines).toHaveLength(25);
    expect(Math.max(...lines)).toBeLessThanOrEqual(2);
  });

  it("is never wider than the screen", async () => {
    const { page } = await operators.signIn(app.url, { viewport: { width: 390, height: 844 } });
    for (const view of VIEWS()) {
      await page.goto(`${app.url}/admin${view}`);
      await page.locator(".rows tbody tr").first().waitFor();
      expect([view, await page.evaluate("document.documentElement.scrollWidth")]).toEqual([view, 390]);
    }
  });
});
