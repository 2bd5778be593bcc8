import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { useApp } from "../../support/app.ts";
import { useDatabase } from "../../support/database.ts";
import { newAccessKey, newSessionId } from "../../support/secrets.ts";
import { row, useOperators } from "./support/operator.ts";

const db = useDatabase();
const app = useApp(db);
const operators = useOperators();
const folder = mkdtempSync(join(tmpdir(), "keybeat-page-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const start = (access_key: string, name = "PC") =>
  app.post("/api/session/start", { access_key, session_id: newSessionId(), device: { name } });

describe("keys at the page", () => {
  it("are made, shown once, copied, and work", async () => {
    const { page } = await operators.signIn(app.url, {
      view: "#/keys",
      permissions: ["clipboard-read", "clipboard-write"],
    });
    await page.getByRole("button", { name: "Create a key" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel("Label").fill("Order 77");
    await dialog.getByRole("button", { name: "Create" }).click();
    const shown = await dialog.getByLabel("The new key").inputValue();
    await dialog.getByRole("button", { name: "Copy" }).click();
    await dialog.getByText("Copied.").waitFor();
    expect(await page.evaluate("navigator.clipboard.readText()")).toBe(shown);
    await dialog.getByRole("button", { name: "Done" }).click();
    await row(page, "Order 77").filter({ hasText: "idle" }).waitFor();
    expect(await page.content()).not.toContain(shown);
    expect((await start(shown)).status).toBe(200);
    await row(page, "Order 77").filter({ hasText: "live now" }).waitFor();
  });

  it("come in from a file; one with invalid lines says which, and brings nothing unless asked to", async () => {
    const [one, two, three] = [newAccessKey(), newAccessKey(), newAccessKey()];
    const file = join(folder, "keys.csv");
    writeFileSync(file, `key,label,expires\n${one},Shop 1,\n${two},Shop 2,\n`);
    const { page } = await operators.signIn(app.url, { view: "#/keys" });
    const dialog = page.getByRole("dialog");
    await page.getByRole("button", { name: "Import" }).click();
    await dialog.getByLabel("From a file").setInputFiles(file);
    await dialog.getByRole("button", { name: "Import" }).click();
    await dialog.getByText("2 keys imported.").waitFor();
    await dialog.getByRole("button", { name: "Done" }).click();
    await row(page, "Shop 2").waitFor();
    expect((await start(two)).status).toBe(200);

    const pasted = `${three},Shop 3,\n${newAccessKey()},Shop 4,someday\n${one}\n`;
    for (const partial of [false, true]) {
      await page.getByRole("button", { name: "Import" }).click();
      await dialog.getByLabel("Or pasted").fill(pasted);
      if (partial) await dialog.getByLabel("Leave out invalid lines").check();
      await dialog.getByRole("button", { name: "Import" }).click();
      await dialog.getByText("Line 2:").waitFor();
      await dialog.getByText(partial ? "1 key imported. 1 key was known already." : "nothing was imported").waitFor();
      await dialog.getByRole("button", { name: "Done" }).click();
      expect((await start(three)).status).toBe(partial ? 200 : 403);
    }
  });

  it("are revoked with the device told why, and restored", async () => {
    const { key, id } = await db.makeKey({ label: "Order 78" });
    const session_id = newSessionId();
    await app.post("/api/session/start", { access_key: key, session_id });
    const { page } = await operators.signIn(app.url, { view: `#/keys/${id}` });
    await page.getByRole("button", { name: "Revoke" }).click();
    await page.getByLabel("Reason").fill("Not paid");
    await page.getByRole("dialog").getByRole("button", { name: "Revoke" }).click();
    await page.getByText("revoked", { exact: true }).waitFor();
    const beat = await app.post("/api/session/heartbeat", { session_id });
    expect(beat).toMatchObject({ status: 410, body: { code: "session_revoked", reason: "Not paid" } });
    expect((await start(key)).body.code).toBe("key_revoked");
    await page.getByRole("button", { name: "Restore" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Restore" }).click();
    await page.getByText("idle", { exact: true }).waitFor();
    expect((await start(key)).status).toBe(200);
  });

  it("get another label and expiry, are erased, and the audit log tells all of it", async () => {
    const { id } = await db.makeKey({ label: "Order 79" });
    const { page } = await operators.signIn(app.url, { view: `#/keys/${id}` });
    await page.getByRole("button", { name: "Change" }).click();
    await page.getByRole("dialog").getByLabel("Label").fill("Order 79, moved");
    await page.getByRole("dialog").getByLabel("Expires").fill("2031-02-03T04:05");
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByRole("heading", { name: "Order 79, moved" }).waitFor();
    await page.getByText("3 Feb 2031").waitFor();
    await page.getByRole("button", { name: "Erase" }).click();
    await page.getByLabel("Yes, erase it").check();
    await page.getByRole("dialog").getByRole("button", { name: "Erase" }).click();
    await page.getByRole("heading", { name: "Keys", exact: true }).waitFor();
    expect(await db.sql`SELECT FROM keys WHERE id = ${id}`).toHaveLength(0);
    await page.getByRole("link", { name: "Audit" }).click();
    for (const what of ["key erased", "key changed", "signed in"]) await row(page, what).first().waitFor();
  });

  it("have a timeline: a lane for each device, a bar for each session, a mark for each takeover", async () => {
    const { key, id } = await db.makeKey({ label: "Order 80" });
    for (const name of ["PC", "Mac", "PC"]) await start(key, name);
    const { page } = await operators.signIn(app.url, { view: `#/keys/${id}` });
    const timeline = page.getByRole("region", { name: "Timeline" });
    await timeline.getByRole("img", { name: "PC: 2 sessions, 1 ended by a takeover" }).waitFor();
    await timeline.getByRole("img", { name: "Mac: 1 session, 1 ended by a takeover" }).waitFor();
    expect(await timeline.locator(".lane rect").count()).toBe(3);
    expect(await timeline.locator(".lane .live").count()).toBe(1);
    expect(await timeline.locator(".lane .mark").count()).toBe(2);
    await row(page, "taken over by Mac").waitFor();
    await start(key, "Tablet");
    await timeline.getByRole("img", { name: "Tablet: 1 session" }).waitFor();
  });
});
