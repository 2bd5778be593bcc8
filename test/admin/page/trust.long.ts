/** What the page says of proof, copies and leases. */
import { describe, expect, it } from "vitest";
import { createSeed } from "../../../src/trust/signing-keys.ts";
import { openProver } from "../../sessions/device/support/prover.ts";
import { ADMIN_TOKEN, useApp } from "../../support/app.ts";
import { useDatabase } from "../../support/database.ts";
import { newSessionId } from "../../support/secrets.ts";
import { row, useOperators } from "./support/operator.ts";
import { violations } from "./support/violations.ts";

const db = useDatabase();
const app = useApp(db, { adminToken: ADMIN_TOKEN, env: { SIGNING_KEY: createSeed(), OFFLINE_HOURS_MAX: "24" } });
const operators = useOperators();

const start = async (label: string, more: object = {}) => {
  const { key, id } = await db.makeKey({ label });
  const session_id = newSessionId();
  const device = { name: `${label}'s PC`, platform: "linux", app_version: "2.1.0" };
  const { body } = await app.post("/api/session/start", { access_key: key, session_id, device, ...more });
  return { key, id, session_id, generation: body.generation as number };
};
const suspect = (keyId: number) => db.sql`
  INSERT INTO suspected_copies (key_id, generation, times_asked, seen_at)
  SELECT key_id, generation, 2, now() FROM active_sessions WHERE key_id = ${keyId}`;
const lend = async (label: string) => {
  const lent = await start(label);
  await app.post("/api/session/lease", { session_id: lent.session_id, hours: 12 });
  await db.age(lent.id, 61);
  return lent;
};
/** Two processes with one session, of which both run. */
const copy = async (label: string) => {
  const { key, id } = await db.makeKey({ label });
  const session_id = newSessionId();
  const [first, second] = [openProver(app, session_id), openProver(app, session_id)];
  await first.start(key);
  await second.beat();
  expect((await first.beat()).body.code).toBe("session_cloned");
  return id;
};

describe("the page", () => {
  it("marks who has proof and who may be copied, in the lists and in the key's view", async () => {
    const proven = await start("Proven", { proof: openProver(app, newSessionId()).next() });
    const [doubtful] = [await start("Doubtful"), await start("Plain")];
    await suspect(doubtful.id);
    const { page } = await operators.signIn(app.url);
    for (const view of ["#/", "#/keys"]) {
      await page.goto(`${app.url}/admin${view}`);
      await row(page, "Proven").filter({ hasText: "with proof" }).waitFor();
      await row(page, "Doubtful").filter({ hasText: "may be copied" }).waitFor();
      expect(await row(page, "Plain").textContent()).not.toMatch(/proof|copied/);
    }
    for (const [id, words] of [
      [proven.id, "with proof"],
      [doubtful.id, "may be copied"],
    ] as const) {
      await page.goto(`${app.url}/admin#/keys/${id}`);
      await page.getByRole("region", { name: "Facts" }).getByText(words).waitFor();
    }
  });

  it("lists the keys that are held offline, says until when, and frees one", async () => {
    const [lent] = [await lend("Lent"), await start("On")];
    const { page } = await operators.signIn(app.url, { view: "#/keys" });
    await page.getByLabel("State").selectOption("offline");
    await row(page, "On").waitFor({ state: "detached" });
    await row(page, "Lent")
      .filter({ hasText: /offline\s*until \d/ })
      .waitFor();
    await page.goto(`${app.url}/admin#/keys/${lent.id}`);
    await page.getByText("Held offline until").waitFor();
    await page.getByRole("button", { name: "End lease" }).click();
    await page.getByRole("dialog").getByText("not told: it may work on until").waitFor();
    await page.getByRole("dialog").getByRole("button", { name: "End lease" }).click();
    await page.getByRole("status").filter({ hasText: "Freed the lease; nobody was live" }).waitFor();
    await page.getByText("Held offline until").waitFor({ state: "detached" });
    const again = await app.post("/api/session/start", { access_key: lent.key, session_id: newSessionId() });
    expect(again.status).toBe(200);
  });

  it("tells a copy and a sign-out by the owner in the key's history, and a copy in the audit log", async () => {
    const copied = await copy("Copied");
    const owned = await start("Owned");
    await app.post("/api/session/sign-out", { access_key: owned.key, expected_generation: owned.generation });
    const { page } = await operators.signIn(app.url, { view: `#/keys/${copied}` });
    await page.getByText("in use on two devices").waitFor();
    await page.goto(`${app.url}/admin#/keys/${owned.id}`);
    await page.getByText("signed out by its owner").waitFor();
    await page.goto(`${app.url}/admin#/audit`);
    await row(page, "session cloned")
      .filter({ hasText: `#${copied}` })
      .waitFor();
  });
});

describe.each(["light", "dark"] as const)("axe finds nothing wrong with it in %s colours", (colorScheme) => {
  it("wide and on a phone", async () => {
    const doubtful = await start(`Doubtful ${colorScheme}`);
    await suspect(doubtful.id);
    await start(`Proven ${colorScheme}`, { proof: openProver(app, newSessionId()).next() });
    const lent = await lend(`Lent ${colorScheme}`);
    const copied = await copy(`Copied ${colorScheme}`);
    const { page } = await operators.signIn(app.url, { colorScheme });
    for (const width of [1280, 390]) {
      await page.setViewportSize({ width, height: 844 });
      for (const view of ["#/", "#/keys", `#/keys/${doubtful.id}`, `#/keys/${lent.id}`, `#/keys/${copied}`]) {
        await page.goto(`${app.url}/admin${view}`);
        await page.locator(".rows tbody tr").first().waitFor();
        await page.locator("main .badge").first().waitFor();
        expect([view, await violations(page)]).toEqual([view, []]);
      }
    }
  });
});
