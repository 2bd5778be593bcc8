/** The page while the database or the service is away, and the files behind it. */
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ADMIN_TOKEN, useApp } from "../../support/app.ts";
import { useDatabase } from "../../support/database.ts";
import { type RunningServer, startServer } from "../../support/process.ts";
import { type DatabaseProxy, startProxy } from "../../support/proxy.ts";
import { row, useOperators } from "./support/operator.ts";

const db = useDatabase();
const app = useApp(db);
const closed = useApp(db, { adminToken: undefined });
const operators = useOperators();

describe("the page in trouble", () => {
  let proxy: DatabaseProxy;
  let keybeat: RunningServer;
  const serve = (port: string) =>
    startServer({ DATABASE_URL: proxy.url, ADMIN_TOKEN, CLEANUP_CRON: "", HOST: "127.0.0.1", PORT: port });

  beforeAll(async () => {
    proxy = await startProxy(db.url);
    keybeat = await serve("0");
  });
  afterAll(async () => {
    await keybeat?.stop();
    await proxy?.close();
  });

  it("says that the database is down, keeps what it showed, lets nobody lose a dialog, and comes back", async () => {
    const { key } = await db.makeKey({ label: "Before the outage" });
    await keybeat.post("/api/session/start", { access_key: key });
    const { page } = await operators.signIn(keybeat.url);
    await row(page, "Before the outage").waitFor();
    await proxy.set("refuse");
    await page.getByText("The database is not answering.").waitFor();
    await page.locator(".link-state", { hasText: "Database down" }).waitFor();
    expect(await row(page, "Before the outage").count()).toBe(1);
    await page.getByRole("button", { name: /^Kick .* off Before the outage$/ }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Kick" }).click();
    await page.getByRole("dialog").getByRole("alert").filter({ hasText: /./ }).waitFor();
    await page.keyboard.press("Escape");

    // An operator may still sign in, and is told as well.
    const other = await operators.open(keybeat.url);
    await other.page.getByLabel("Admin token").fill(ADMIN_TOKEN);
    await other.page.keyboard.press("Enter");
    await other.page.getByText("The database is not answering.").waitFor();

    await proxy.set("pass");
    await page.locator(".link-state[data-state=live]").waitFor({ timeout: 30_000 });
    await page.getByText("The database is not answering.").waitFor({ state: "detached" });
    await other.page.locator(".link-state[data-state=live]").waitFor({ timeout: 30_000 });
    await row(other.page, "Before the outage").waitFor();
  });

  it("says that the service is away, and shows what happened meanwhile once it is back", async () => {
    const { page } = await operators.signIn(keybeat.url);
    await row(page, "Before the outage").waitFor();
    const { port } = new URL(keybeat.url);
    await keybeat.stop("SIGKILL");
    await page.getByText("Not connected: the service is not answering.").waitFor();
    const { key } = await db.makeKey({ label: "Meanwhile" });
    await app.post("/api/session/start", { access_key: key });
    keybeat = await serve(port);
    await row(page, "Meanwhile").waitFor({ timeout: 30_000 });
    await page.locator(".link-state[data-state=live]").waitFor({ timeout: 30_000 });
  });
});

describe("the page in a browser whose language is none to Intl", () => {
  it("goes on without the chart, and says so beside the table, with nothing thrown", async () => {
    const { page } = await operators.open(app.url);
    await page.addInitScript(`Object.defineProperty(navigator, "language", { get: () => "en-US@posix" })`);
    await page.reload();
    await page.getByLabel("Admin token").fill(ADMIN_TOKEN);
    await page.keyboard.press("Enter");
    await page.getByText("The chart does not work in this browser. The table has all of it.").waitFor();
    expect(await page.locator("details[open] tbody tr").count()).toBe(24);
    expect(await page.locator(".chart canvas").count()).toBe(0);
    await page.locator(".link-state[data-state=live]").waitFor();
  });
});

describe("the files of the page", () => {
  const get = (path: string, headers: Record<string, string> = {}) => fetch(app.url + path, { headers });

  it("come under a policy that allows nothing inline, nothing from elsewhere, and no text that becomes HTML", async () => {
    const { headers } = await get("/admin");
    const policy = Object.fromEntries(
      (headers.get("content-security-policy") ?? "").split("; ").map((rule) => rule.split(/ (.*)/).slice(0, 2)),
    );
    expect(policy).toEqual({
      "default-src": "'none'",
      "script-src": "'self'",
      "style-src": "'self'",
      "img-src": "'self'",
      "connect-src": "'self'",
      "base-uri": "'none'",
      "form-action": "'none'",
      "frame-ancestors": "'none'",
      "require-trusted-types-for": "'script'",
      "trusted-types": "'none'",
    });
    expect(headers.get("referrer-policy")).toBe("no-referrer");
  });

  it("are asked for again at each visit, and sent again only if they have changed", async () => {
    for (const path of ["/admin", "/admin/main.js", "/admin/page.css", "/admin/uplot.js"]) {
      const first = await get(path, { "Accept-Encoding": "gzip" });
      expect([path, first.status, first.headers.get("cache-control")]).toEqual([path, 200, "no-cache"]);
      expect(first.headers.get("content-encoding")).toBe("gzip");
      const again = await get(path, {
        "Accept-Encoding": "gzip",
        "If-None-Match": first.headers.get("etag") ?? "none",
      });
      expect([path, again.status, await again.text()]).toEqual([path, 304, ""]);
    }
  });

  it("are at most 60 kB, gzipped, all together", () => {
    const folder = "dist/assets/admin";
    const sent = readdirSync(folder).filter((name) => name.endsWith(".gz") && !name.startsWith("LICENSE"));
    const bytes = sent.reduce((sum, name) => sum + statSync(`${folder}/${name}`).size, 0);
    console.log(`the page: ${bytes} bytes gzipped, in ${sent.length} files`);
    expect(sent.length).toBeGreaterThan(10);
    expect(bytes).toBeLessThan(60_000);
  });

  it("are those of this build: it takes away what an earlier one has left", () => {
    const [mine, old] = ["main.js", "of-an-earlier-build.js.gz"].map((name) => `dist/assets/admin/${name}`) as [
      string,
      string,
    ];
    writeFileSync(old, "");
    execFileSync(process.execPath, ["scripts/build-assets.mjs"]);
    expect([existsSync(mine), existsSync(old)]).toEqual([true, false]);
  });

  it("are not there where no admin token is configured, and nothing but them is behind their address", async () => {
    for (const path of ["/admin", "/admin/", "/admin/main.js"]) {
      expect([path, (await fetch(closed.url + path)).status]).toEqual([path, 404]);
    }
    for (const path of ["/admin/LICENSE", "/admin/main.js.gz", "/admin/..%2f..%2fpackage.json", "/admin/none.js"]) {
      expect([path, (await get(path)).status]).toEqual([path, 404]);
    }
    expect((await fetch(`${app.url}/admin/`, { redirect: "manual" })).headers.get("location")).toBe("../admin");
  });
});
