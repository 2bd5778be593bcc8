import { beforeAll, describe, expect, it } from "vitest";
import { useApp } from "../../support/app.ts";
import { useDatabase } from "../../support/database.ts";
import { newSessionId } from "../../support/secrets.ts";
import { watch } from "../../support/watch.ts";
import { row, useOperators } from "./support/operator.ts";

const db = useDatabase();
const app = useApp(db);
const operators = useOperators();

const start = (access_key: string, device: object, session_id = newSessionId()) =>
  app.post("/api/session/start", { access_key, session_id, device });

describe("the page while devices come and go", () => {
  it("shows a takeover within seconds, without a reload, and says so aloud", async () => {
    const { key } = await db.makeKey({ label: "Order 1" });
    await start(key, { name: "Office PC" });
    const { page } = await operators.signIn(app.url);
    await row(page, "Order 1").filter({ hasText: "Office PC" }).waitFor();
    await page.evaluate("window.notReloaded = true");
    // What happened before the page's first look is not news.
    await page.waitForTimeout(2_500);
    await start(key, { name: "Laptop" });
    await page.getByText("Laptop replaced Office PC").waitFor();
    await row(page, "Order 1").filter({ hasText: "Laptop" }).waitFor();
    expect(await page.locator("#news").textContent()).toBe("Takeover of Order 1 by Laptop");
    expect(await page.evaluate("window.notReloaded")).toBe(true);
    // A newcomer sees the last ten of the day, each once.
    for (let n = 1; n <= 11; n++) await start(key, { name: `Newer ${n}` });
    await page.reload();
    const told = page.getByRole("region", { name: "Newest takeovers" }).getByRole("listitem");
    await told.filter({ hasText: "Newer 11 replaced Newer 10" }).waitFor();
    expect(await told.count()).toBe(10);
    expect(await told.last().textContent()).toContain("Newer 2 replaced Newer 1");
  });

  it("kicks a device, whose stream ends with `revoked` and the reason", async () => {
    const { key } = await db.makeKey({ label: "Order 2" });
    const session_id = newSessionId();
    await start(key, { name: "Kiosk" }, session_id);
    const device = await watch(app.url, session_id);
    const { page } = await operators.signIn(app.url);
    await page.getByRole("button", { name: "Kick Kiosk off Order 2" }).click();
    await page.getByLabel("Reason").fill("Please call us");
    await page.getByRole("dialog").getByRole("button", { name: "Kick" }).click();
    expect(await device.done).toMatchObject({ event: "revoked", data: { reason: "Please call us" } });
    await page.getByRole("status").filter({ hasText: "Kicked Kiosk" }).waitFor();
    await row(page, "Order 2").waitFor({ state: "detached" });
  });

  it("shows <script> in a label and a device's name as text", async () => {
    const evil = `<script>window.hacked = 1</script><img src=x onerror="window.hacked = 2">`;
    const { key, id } = await db.makeKey({ label: evil });
    await start(key, { name: `${evil} PC` });
    const { page } = await operators.signIn(app.url);
    await row(page, `${evil} PC`).waitFor();
    await page.waitForTimeout(2_500);
    await start(key, { name: `${evil} Mac` });
    await page.getByText(`${evil} Mac replaced ${evil} PC`).waitFor();
    await page.getByRole("button", { name: `Kick ${evil} Mac off ${evil}` }).click();
    await page.getByRole("dialog").getByText(evil).first().waitFor();
    await page.keyboard.press("Escape");
    await page.goto(`${app.url}/admin#/keys/${id}`);
    await page.getByRole("heading", { name: evil }).waitFor();
    await row(page, `${evil} PC`).waitFor();
    await page.goto(`${app.url}/admin#/keys`);
    await row(page, evil).waitFor();
    expect(await page.evaluate("window.hacked")).toBeUndefined();
    expect(await page.locator("main script, main img").count()).toBe(0);
  });
});

describe("the page with 100,000 live sessions", () => {
  let needle: string;

  beforeAll(async () => {
    await db.sql`
      WITH made AS (
        INSERT INTO keys (key_hash, key_prefix, label, generation)
        SELECT sha256(('many ' || n)::bytea), 'many' || n % 1000, 'Customer ' || n, 1 FROM generate_series(1, 100000) n
        RETURNING id, key_prefix)
      INSERT INTO active_sessions (key_id, access_key, session_id, generation, started_at, last_heartbeat, device)
      SELECT id, key_prefix || '…', 'many-' || id, 1, now(), now() + interval '1 hour', '{"name": "One of many"}'
      FROM made`;
    const made = await db.makeKey({ label: "Needle, Haystack & Co" });
    needle = made.key;
    await start(needle, { name: "Sewing machine" });
    await db.sql`ANALYZE keys, active_sessions`;
  });

  it("counts them, and finds one by label, by the beginning of its key, by its device and by the whole key", async () => {
    const { page } = await operators.signIn(app.url);
    await page
      .locator(".tiles")
      .getByText(/^100,0\d\d$/)
      .first()
      .waitFor();
    const by = page.getByRole("search").getByRole("combobox").first();
    const text = page.getByLabel("Search for");
    const urls: string[] = [];
    page.on("request", (sent) => urls.push(sent.url()));
    const ways = [
      ["label", "needle hay"],
      ["prefix", needle.slice(0, 8)],
      ["device", "sewing"],
      ["access_key", needle],
    ] as const;
    for (const [way, wanted] of ways) {
      await text.fill("");
      await row(page, "One of many").first().waitFor();
      await by.selectOption(way);
      await text.fill(wanted);
      await row(page, "One of many").first().waitFor({ state: "detached" });
      await row(page, "Sewing machine").filter({ hasText: "Needle, Haystack & Co" }).waitFor();
      expect(await row(page, "").count()).toBe(2); // its head and the one
    }
    expect(urls.filter((url) => url.includes(needle))).toEqual([]);
  });

  it("turns pages that hold no key twice, and back", async () => {
    const { page } = await operators.signIn(app.url);
    const keys = async () => page.locator("tbody a").evaluateAll((links) => links.map((link) => link.textContent));
    await page.getByText("Page 1: 25 rows").waitFor();
    const first = await keys();
    await page.getByRole("button", { name: "Next" }).click();
    await page.getByText("Page 2: 25 rows").waitFor();
    const second = await keys();
    expect(new Set([...first, ...second]).size).toBe(50);
    await page.getByRole("button", { name: "Previous" }).click();
    await page.getByText("Page 1: 25 rows").waitFor();
    expect(await keys()).toEqual(first);
  });
});
