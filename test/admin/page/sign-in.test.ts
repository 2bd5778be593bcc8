import { describe, expect, it } from "vitest";
import { ADMIN_TOKEN, useApp } from "../../support/app.ts";
import { useDatabase } from "../../support/database.ts";
import { useOperators } from "./support/operator.ts";

const db = useDatabase();
const app = useApp(db);
const operators = useOperators();

describe("signing in at the page", () => {
  it("takes the token, keeps it from every script, and holds over a reload", async () => {
    const { page } = await operators.signIn(app.url);
    const cookies = await page.context().cookies();
    expect(cookies).toMatchObject([{ name: "keybeat_admin", httpOnly: true, sameSite: "Strict" }]);
    expect(await page.evaluate("document.cookie + JSON.stringify({ ...localStorage, ...sessionStorage })")).toBe("{}");
    await page.reload();
    await page.locator(".link-state[data-state=live]").waitFor();
    expect(await page.content()).not.toContain(ADMIN_TOKEN);
  });

  it("says that a wrong token is wrong, and lets the next one in", async () => {
    const { page } = await operators.open(app.url);
    await page.getByLabel("Admin token").fill("a-guess");
    await page.keyboard.press("Enter");
    await page.getByRole("alert").filter({ hasText: "The admin token is missing or wrong" }).waitFor();
    expect(await page.context().cookies()).toEqual([]);
    await page.getByLabel("Admin token").fill(ADMIN_TOKEN);
    await page.keyboard.press("Enter");
    await page.getByRole("navigation", { name: "Main" }).waitFor();
  });

  it("ends with signing out, and with a cookie that is gone", async () => {
    const { page } = await operators.signIn(app.url);
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.getByLabel("Admin token").waitFor();
    expect(await page.context().cookies()).toEqual([]);

    const other = await operators.signIn(app.url);
    await other.page.context().clearCookies();
    await other.page.getByRole("link", { name: "Keys" }).click();
    await other.page.getByLabel("Admin token").waitFor();
  });

  it("shows an empty installation as one", async () => {
    const { page } = await operators.signIn(app.url);
    await page.getByText("Nobody is on").waitFor();
    await page.getByText("None in the last 24 hours.").waitFor();
    await page.getByText("No key moved between different devices today.").waitFor();
    await page.getByRole("link", { name: "Keys" }).click();
    await page.getByText("No keys here").waitFor();
  });
});
