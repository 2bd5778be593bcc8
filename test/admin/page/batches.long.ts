/** Batch sessions at the page: what it shows while they run, and what can be done to them. */
import type { Page } from "playwright-core";
import { describe, expect, it } from "vitest";
import { batchApi } from "../../sessions/batch/support/batch.ts";
import { useApp } from "../../support/app.ts";
import { useDatabase } from "../../support/database.ts";
import { byToken } from "../support/admin.ts";
import { row, useOperators } from "./support/operator.ts";
import { violations } from "./support/violations.ts";

const db = useDatabase();
const app = useApp(db);
const operators = useOperators();
const batch = batchApi(app);

const open = async (view = "#/batches") => (await operators.signIn(app.url, { view })).page;
const dialog = (page: Page) => page.getByRole("dialog");
const press = (page: Page, name: string) => page.getByRole("button", { name, exact: true }).click();
const confirm = (page: Page, name: string) => dialog(page).getByRole("button", { name, exact: true }).click();
const region = (page: Page, name: string) => page.getByRole("region", { name, exact: true });
const search = (page: Page) => page.getByRole("searchbox");
const isOver = (page: Page, words: string) => page.getByRole("status").getByText(words, { exact: true }).waitFor();

/** Of 5 nodes in two groups: one done, one failed, one skipped, two still to do. */
async function makeHalfDone(path: string, error = "the model was overloaded"): Promise<string> {
  const { status, body } = await batch.execute({
    canvas_path: path,
    groups: [
      { group_id: "texts", agent_type: "writer", node_ids: ["t1", "t2", "t3"] },
      { group_id: "figures", agent_type: "painter", node_ids: ["f1", "f2"] },
    ],
  });
  expect(status).toBe(202);
  const id: string = body.session_id;
  await batch.claim(id, { worker: "worker-7" });
  await batch.put(id, "t1");
  await batch.put(id, "t2", "skipped");
  await batch.put(id, "f1", { status: "failed", error });
  return id;
}

describe("the list of batches at the page", () => {
  it("says that there is none, shows by itself what comes, and follows its progress in place", async () => {
    const page = await open();
    await page.getByText("No runs here").waitFor();
    const id = await batch.make({ canvas_path: "live.canvas", node_count: 4 });
    await row(page, "live.canvas").getByText("waiting for a worker").waitFor();
    await batch.claim(id, { worker: "worker-1" });
    await row(page, "live.canvas").getByText("worker-1").waitFor();
    await row(page, "live.canvas").evaluate((shown) => shown.setAttribute("data-same", ""));
    await batch.put(id, "a");
    await row(page, "live.canvas").getByText("1 of 4 nodes · 25%").waitFor();
    await batch.put(id, "b", "failed");
    await row(page, "live.canvas").getByText("2 of 4 nodes · 50%").waitFor();
    const bar = page.getByRole("progressbar", { name: "Progress of live.canvas" });
    expect(await bar.getAttribute("aria-valuetext")).toMatch(/^2 of 4 nodes · 50%, 1 failed/);
    expect(await bar.getAttribute("value")).toBe("50");
    expect(await page.locator("tr[data-same]").count()).toBe(1);
    await batch.complete(id);
    await row(page, "live.canvas").getByText("partly failed").waitFor();
  });

  it("finds by status, by the beginning of the path and by the id", async () => {
    const cancelled = await batch.make({ canvas_path: "sought/a.canvas" });
    const other = await batch.make({ canvas_path: "sought/b.canvas" });
    await batch.cancel(cancelled, { reason: "not wanted" });
    const page = await open();
    const shows = (paths: string[]) =>
      expect.poll(() => page.locator("tbody td:first-child a").allTextContents()).toEqual(paths);
    await search(page).fill("sought/");
    await shows(["sought/b.canvas", "sought/a.canvas"]);
    await page.getByLabel("Status").selectOption({ label: "cancelled" });
    await shows(["sought/a.canvas"]);
    await page.getByLabel("Status").selectOption({ label: "all" });
    await search(page).fill(` ${other.toUpperCase()} `);
    await shows(["sought/b.canvas"]);
    await search(page).fill("nothing begins so");
    await page.getByText("No runs here").waitFor();
    await search(page).fill("x".repeat(501));
    await page.getByText("at most 500 characters").waitFor();
  });

  it("keeps its place, the focus and the row under the eye while runs come", async () => {
    for (let n = 0; n < 40; n++) await batch.make({ canvas_path: `steady/${n}` });
    const page = await open();
    const link = page.getByRole("link", { name: "steady/10", exact: true });
    await link.focus();
    await page.evaluate("document.activeElement.addEventListener('blur', () => { window.lost = true })");
    await page.evaluate("scrollTo(0, 600)");
    const top = () => link.evaluate((shown) => Math.round(shown.getBoundingClientRect().top));
    const before = await top();
    await batch.make({ canvas_path: "steady/new" });
    await page.getByRole("link", { name: "steady/new", exact: true }).waitFor({ state: "attached" });
    await expect.poll(async () => Math.abs((await top()) - before)).toBeLessThan(4);
    expect(await page.evaluate("[document.activeElement.textContent, window.lost ?? false]")).toEqual([
      "steady/10",
      false,
    ]);
  });
});

describe("a batch run at the page", () => {
  it("has its facts, its groups, and its nodes with the failed ones first, and is followed", async () => {
    const id = await makeHalfDone("followed.canvas");
    const page = await open(`#/batches/${id}`);
    await page.getByRole("heading", { name: "followed.canvas" }).waitFor();
    expect(await page.getByRole("link", { name: "Batches", exact: true }).getAttribute("aria-current")).toBe("page");
    await isOver(page, "running");
    await region(page, "Facts").getByText("worker-7").waitFor();
    await region(page, "Facts").getByText("Must report by").waitFor();
    await region(page, "Facts")
      .getByText(/^in (10|9) min$/)
      .waitFor();
    await page.getByRole("progressbar", { name: "Progress of group texts" }).waitFor();
    await region(page, "Groups").getByText("2 of 3 nodes").waitFor();
    await row(page, "f1").getByText("the model was overloaded").waitFor();
    const regions = await page.locator("section:not([hidden])").evaluateAll((all) => all.map((one) => one.ariaLabel));
    expect(regions).toEqual(["Facts", "Groups", "Failed nodes", "Still to do", "Skipped", "Done"]);
    expect(await row(page, "t3").count()).toBe(0);
    await region(page, "Still to do").locator("summary").press("Enter");
    await row(page, "t3").waitFor();

    await batch.put(id, "t3");
    await row(page, "t3").waitFor({ state: "detached" });
    await batch.progress(id, { message: "half of the figures" });
    await region(page, "Facts").getByText("half of the figures").waitFor();
    await batch.put(id, "f2", { status: "failed", error: "no ink" });
    await row(page, "f2").getByText("no ink").waitFor();
    await region(page, "Still to do").waitFor({ state: "hidden" });
    await batch.complete(id, { error_message: "two figures are missing" });
    await isOver(page, "partly failed");
    await page.getByText("two figures are missing").waitFor();
    await page.getByRole("button", { name: "Cancel", exact: true }).waitFor({ state: "detached" });
  });

  it("says of a run without names beforehand how many are to do, and of a silent one why it ended", async () => {
    const id = await batch.make({ canvas_path: "nameless.canvas" });
    await batch.claim(id);
    await batch.put(id, "n1");
    const page = await open(`#/batches/${id}`);
    await region(page, "Still to do").locator("summary").click();
    await region(page, "Still to do").getByText("The worker names a node with its result.").waitFor();
    await region(page, "Facts").getByText("one without a name").waitFor();
    await db.sql`
      UPDATE batch_sessions SET last_report = last_report - interval '1 hour', not_over_before = now() WHERE session_id = ${id}`;
    await isOver(page, "failed");
    await region(page, "Facts").getByText("failed: nothing was heard of it").waitFor();
    await region(page, "Facts").getByText("no sign of life for 30 minutes").waitFor();
  });

  it("is cancelled with a reason, resumed as another that carries what was done, and each leads to the other", async () => {
    const id = await makeHalfDone("resumed.canvas");
    const page = await open(`#/batches/${id}`);
    await press(page, "Cancel");
    await dialog(page).getByLabel("Reason").fill("asked for by phone");
    await confirm(page, "Keep it");
    expect((await batch.read(id)).status).toBe("running");
    await press(page, "Cancel");
    await dialog(page).getByLabel("Reason").fill("asked for by phone");
    await confirm(page, "Cancel the run");
    await isOver(page, "cancelled");
    await page.getByText("Cancelled, with 1 node done").waitFor();
    await region(page, "Facts").getByText("asked for by phone").waitFor();
    await region(page, "Groups").getByText("left unfinished").waitFor();

    await press(page, "Resume");
    await dialog(page).getByText("takes over its 1 success, has 4 nodes still to do").waitFor();
    await confirm(page, "Resume");
    await isOver(page, "waiting for a worker");
    await region(page, "Done").locator("summary").click();
    await row(page, "t1").getByText("in an earlier run").waitFor();
    const { resumed_as: next } = await batch.read(id);
    expect(new URL(page.url()).hash).toBe(`#/batches/${next}`);
    await page.getByRole("link", { name: id.slice(0, 8) }).click();
    await page.getByRole("link", { name: next.slice(0, 8) }).waitFor();
    await page.getByRole("button", { name: "Resume" }).waitFor({ state: "detached" });

    await page.getByRole("link", { name: "Audit" }).click();
    await row(page, "batch resumed").first().waitFor();
    await row(page, "batch cancelled").filter({ hasText: "reason: asked for by phone" }).getByRole("link").click();
    await page.getByRole("heading", { name: "resumed.canvas" }).waitFor();
  });

  it("is ended by force; what ended or was erased meanwhile is told in words", async () => {
    const id = await makeHalfDone("forced.canvas");
    const page = await open(`#/batches/${id}`);
    await press(page, "End by force");
    await confirm(page, "End it");
    await isOver(page, "failed");
    await region(page, "Facts").getByText("failed: ended by an operator").waitFor();

    const other = await makeHalfDone("meanwhile.canvas");
    await page.goto(`${app.url}/admin#/batches/${other}`);
    await press(page, "Cancel");
    await batch.complete(other);
    await confirm(page, "Cancel the run");
    await dialog(page)
      .getByRole("alert")
      .filter({ hasText: "It has ended meanwhile: partly failed. Nothing was changed." })
      .waitFor();
    await confirm(page, "Keep it");
    await isOver(page, "partly failed");

    await press(page, "Resume");
    await byToken(app).send("DELETE", `/batch/${other}`);
    await confirm(page, "Resume");
    await dialog(page).getByRole("alert").filter({ hasText: "It is gone" }).waitFor();
    await confirm(page, "Cancel");
    await page.getByText("There is no such run").waitFor();
    expect(await page.getByRole("button", { name: "Erase" }).count()).toBe(0);
  });

  it("is erased after a yes, and leaves nothing in the audit log but that it happened", async () => {
    const id = await makeHalfDone("erased.canvas");
    const page = await open(`#/batches/${id}`);
    await press(page, "Cancel");
    await confirm(page, "Cancel the run");
    await press(page, "Erase");
    await confirm(page, "Erase");
    expect(await dialog(page).count()).toBe(1);
    await page.getByLabel("Yes, erase all of it").check();
    await confirm(page, "Erase");
    await page.getByRole("heading", { name: "Batches" }).waitFor();
    expect(await db.sql`SELECT FROM batch_sessions WHERE session_id = ${id}`).toHaveLength(0);
    await page.getByRole("link", { name: "Audit" }).click();
    await row(page, "batch erased").first().waitFor();
    expect(await row(page, id).count()).toBe(0);
  });

  it("shows <script> in paths, names and errors as text, and of a long one the beginning", async () => {
    const evil = `<script>window.hacked = 1</script><img src=x onerror="window.hacked = 2">`;
    const id = await makeHalfDone(`${evil}.canvas`, evil.repeat(20));
    await batch.progress(id, { message: evil });
    const page = await open();
    await page.getByRole("link", { name: evil }).click();
    await region(page, "Facts").getByText(evil).waitFor();
    const error = row(page, "f1").locator("details");
    expect(await error.locator("summary").textContent()).toHaveLength(242);
    await error.locator("summary").click();
    // Looked at again meanwhile, it stays unfolded.
    await batch.put(id, "t3");
    await page.getByText("4 of 5 nodes · 80%").waitFor();
    await error.locator(".whole").waitFor();
    await press(page, "Cancel");
    await dialog(page).getByText(evil).waitFor();
    expect(await page.evaluate("window.hacked")).toBeUndefined();
  });
});

describe("the batches by keyboard alone", () => {
  it("are reached, opened and cancelled", async () => {
    await makeHalfDone("keyboard.canvas");
    const { page } = await operators.signIn(app.url);
    const focused = () => page.evaluate("document.activeElement.textContent");
    const tabTo = async (name: string) => {
      for (let presses = 0; presses < 40 && (await focused()) !== name; presses++) await page.keyboard.press("Tab");
      expect(await focused()).toBe(name);
    };
    await page.getByRole("link", { name: "Batches" }).focus();
    await page.keyboard.press("Enter");
    await page.getByRole("link", { name: "keyboard.canvas" }).waitFor();
    await tabTo("keyboard.canvas");
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "keyboard.canvas" }).waitFor();
    await page.getByRole("button", { name: "Cancel" }).waitFor();
    expect(await focused()).toBe("keyboard.canvas");
    await tabTo("Cancel");
    await page.keyboard.press("Enter");
    await page.keyboard.press("Escape");
    await dialog(page).waitFor({ state: "detached" });
    expect(await focused()).toBe("Cancel");
    await page.keyboard.press("Enter");
    await page.keyboard.type("enough");
    await page.keyboard.press("Enter");
    await isOver(page, "cancelled");
    expect(await focused()).toBe("keyboard.canvas");
  });
});

describe.each(["light", "dark"] as const)("axe finds nothing at the batches in %s colours", (colorScheme) => {
  it.each([1280, 390])("in the list, a run and its dialogs, which fit a screen of %i pixels", async (width) => {
    const path = `${colorScheme}/${width}/${"p".repeat(400)}.canvas`;
    const id = await makeHalfDone(path, "e".repeat(600));
    await batch.progress(id, { message: "m".repeat(400) });
    const { page } = await operators.signIn(app.url, { view: "#/batches", colorScheme });
    await page.setViewportSize({ width, height: 844 });
    const fits = async (what: string) => {
      expect([what, width, await violations(page)]).toEqual([what, width, []]);
      expect([what, await page.evaluate("document.documentElement.scrollWidth")]).toEqual([what, width]);
    };
    await page.goto(`${app.url}/admin#/batches`);
    await row(page, path).waitFor();
    await fits("list");
    await search(page).fill("nothing begins so");
    await page.getByText("No runs here").waitFor();
    await fits("empty");
    await page.goto(`${app.url}/admin#/batches/${id}`);
    await row(page, "f1").waitFor();
    for (const name of ["Still to do", "Skipped", "Done"]) await region(page, name).locator("summary").click();
    for (const node of ["t1", "t2", "t3"]) await row(page, node).waitFor();
    await row(page, "f1").locator("summary").click();
    await fits("run");
    for (const name of ["Cancel", "End by force", "Erase"]) {
      await press(page, name);
      await dialog(page).waitFor();
      await fits(name);
      await page.keyboard.press("Escape");
      await dialog(page).waitFor({ state: "detached" });
    }
    await batch.cancel(id, { reason: "r".repeat(500) });
    await press(page, "Resume");
    await dialog(page).waitFor();
    await fits("Resume");
  });
});

// The last, as they stay.
describe("100,000 batches at the page", () => {
  it("have pages that show none twice, and one of them is found", async () => {
    await db.sql`
      INSERT INTO batch_sessions (session_id, canvas_path, node_count, metadata, created_at, updated_at, last_report, clock_steps,
                                  not_over_before)
      SELECT gen_random_uuid(), 'many/' || n, 3, '{}', now(), now(), now(), s.clock_steps, now() + interval '30 minutes'
      FROM present_state() s, generate_series(1, 100000) n`;
    await db.sql`ANALYZE batch_sessions`;
    const page = await open();
    const paths = () => page.locator("tbody td:first-child a").allTextContents();
    await page.getByText("Page 1: 50 rows").waitFor();
    const first = await paths();
    await page.getByRole("button", { name: "Next" }).click();
    await page.getByText("Page 2: 50 rows").waitFor();
    expect(new Set([...first, ...(await paths())]).size).toBe(100);
    expect(first[0]).toBe("many/100000");
    await search(page).fill("many/7777");
    await page.getByRole("link", { name: "many/7777", exact: true }).waitFor();
    await search(page).fill("none of the many");
    await page.getByText("No runs here").waitFor();
  });
});
