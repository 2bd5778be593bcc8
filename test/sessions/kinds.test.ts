/** A kind of session comes in by one value in one list: a toy is added to it, and each of its parts is there. */
import { mkdtempSync, readdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { getTableName, isTable } from "drizzle-orm";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { examine, readFacts } from "../../src/cli/doctor/sql.ts";
import { findBadSettings, readConfig } from "../../src/config.ts";
import { SHARED_TABLES } from "../../src/database/schema.ts";
import { UsageError } from "../../src/errors.ts";
import { createLog } from "../../src/log.ts";
import { createCounts } from "../../src/metrics/counts.ts";
import { describeApi } from "../../src/openapi.ts";
import { passSecrets } from "../../src/secrets.ts";
import type { Kind } from "../../src/sessions/kind.ts";
import { KINDS, openKinds, settingsOf } from "../../src/sessions/kinds.ts";
import { ADMIN_TOKEN, useApp } from "../support/app.ts";
import { useDatabase } from "../support/database.ts";
import { readValue, scrape } from "../support/metrics.ts";
import { signUserToken } from "../support/user-token.ts";
import { seen, TOY_TABLE, toy } from "./toy/kind.ts";

const SECRET = "a-secret-for-the-tokens-of-the-toys";
const WITH_TOY: readonly Kind[] = [...KINDS, toy];

const db = useDatabase();
beforeAll(() => db.sql.unsafe(TOY_TABLE));

describe("a kind that is added to the list", () => {
  afterAll(() => expect(seen.closed).toBe(1)); // the hooks run from the last to the first: after the application's end
  const app = useApp(db, { adminToken: ADMIN_TOKEN, kinds: WITH_TOY, env: { TOY_BOXES: "5" } });
  const operator = { Authorization: `Bearer ${ADMIN_TOKEN}` };

  it("has its routes, and those of its operators behind their token", async () => {
    expect((await app.get("/api/v1/toys/mina")).body).toEqual({ owner: "mina", toys: 0, boxes: 5 });
    expect((await app.post("/api/admin/toys", {})).status).toBe(401);
    expect((await app.post("/api/admin/toys", {}, operator)).body).toEqual({ added: 1 });
    expect((await app.get("/api/v1/toys/mina")).body.toys).toBe(1);
  });

  it("has its numbers in a scrape, of the process and of the database", async () => {
    await app.post("/api/admin/toys", {}, operator);
    await expect.poll(async () => readValue(await scrape(app.url), "keybeat_toys"), { timeout: 10_000 }).toBe(2);
    expect(readValue(await scrape(app.url), "keybeat_toys_asked_total")).toBe(2);
  });

  it("is cleaned up with the others, and its count is in the log by its name", async () => {
    await db.sql`UPDATE toys SET broken = true`;
    expect((await app.post("/api/admin/cleanup-sessions", {}, operator)).body).toEqual({ success: true, deleted: 0 });
    expect((await app.get("/api/v1/toys/mina")).body.toys).toBe(0);
    const finished = app.log.map((line) => JSON.parse(line)).find(({ msg }) => msg === "cleanup finished");
    expect(finished).toMatchObject({ deleted: 0, remaining: 0, toys: 2 });
  });

  it("hears what is told on a channel of its own, by the one connection that listens", async () => {
    await expect
      .poll(async () => {
        await db.sql`NOTIFY keybeat_toy, 'wound up'`;
        return seen.heard;
      })
      .toContain("wound up");
    const [row] = await db.sql`
      SELECT count(*)::int AS n FROM pg_stat_activity WHERE datname = ${db.name} AND application_name = 'keybeat listen'`;
    expect(row?.n).toBe(1);
  });

  it("says which of its requests may wait, as the others do", () => {
    const paths = ["/api/v1/toys/mina", "/api/v1/session/requests", "/api/session/start"];
    expect(paths.map(app.waits)).toEqual([true, true, false]);
  });

  it("has its work done by the clock", async () => {
    const before = seen.wound;
    await expect.poll(() => seen.wound).toBeGreaterThan(before + 3);
  });
});

describe("what a kind brings beside its answers", () => {
  const given = () => ({ database: db.database, counts: createCounts(), log: createLog("silent") });

  it("are settings: read, with defaults, and refused by the name of the variable", () => {
    expect(settingsOf(toy, readConfig({}, WITH_TOY).kinds)).toMatchObject({ boxes: 3, userTokens: false });
    expect(settingsOf(toy, readConfig({ TOY_BOXES: "4" }, WITH_TOY).kinds).boxes).toBe(4);
    expect(() => readConfig({ TOY_BOXES: "10" }, WITH_TOY)).toThrow(
      new UsageError("TOY_BOXES must be between 1 and 9"),
    );
    expect(findBadSettings({ TOY_BOXES: "10" })).toEqual([]);
  });

  it("are secrets, in their variables or in files, and passed to the workers", () => {
    const read = (env: Record<string, string>) => readConfig(env, WITH_TOY);
    const file = join(mkdtempSync(join(tmpdir(), "keybeat-toy-")), "password");
    writeFileSync(file, "a-password-for-toys\n");
    const { kinds, secrets } = read({ TOY_PASSWORD_FILE: file });
    expect(settingsOf(toy, kinds).password).toBe("a-password-for-toys");
    expect(passSecrets(secrets)).toMatchObject({ TOY_PASSWORD: "a-password-for-toys", TOY_PASSWORD_FILE: "" });
    expect(() => read({ TOY_PASSWORD: "short" })).toThrow(/^TOY_PASSWORD has only 5 characters/);
    expect(() => read({ TOY_PASSWORD_FILE: `${file}.gone` })).toThrow(/^TOY_PASSWORD_FILE names a file that cannot be/);
  });

  it("is what it does before the service answers", async () => {
    for (const kind of openKinds(WITH_TOY, readConfig({}, WITH_TOY).kinds, given())) await kind.settle?.();
    expect(seen.settled).toBe(1);
  });

  it("is a part of the OpenAPI document, with who may call it; the others' stay as they are", () => {
    const document = describeApi("3.1", "0", WITH_TOY) as never as Record<
      string,
      Record<string, Record<string, never>>
    >;
    expect(document.paths?.["/api/v1/toys/{owner}"]).toMatchObject({
      get: { tags: ["Toys"], security: [{}, { childToken: [] }] },
    });
    expect(document.paths?.["/api/admin/toys"]).toMatchObject({ post: { tags: ["Admin"] } });
    expect(Object.keys(document.components?.securitySchemes ?? {})).toContain("childToken");
    const without = describeApi("3.1", "0") as typeof document;
    const { "/api/v1/toys/{owner}": _1, "/api/admin/toys": _2, ...others } = document.paths ?? {};
    expect(others).toEqual(without.paths);
  });

  it("are tables that the doctor asks for: it says which of them this user may not use", async () => {
    const role = `keybeat_toyless_${process.pid}`;
    await db.sql.unsafe(`
      CREATE ROLE ${role} LOGIN PASSWORD 'toyless';
      GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO ${role};
      GRANT USAGE ON SCHEMA drizzle TO ${role}; GRANT SELECT ON ALL TABLES IN SCHEMA drizzle TO ${role};
      REVOKE ALL ON toys FROM ${role}`);
    const url = new URL(db.url);
    url.username = role;
    url.password = "toyless";
    const examined = examine(url.href);
    try {
      const tables = WITH_TOY.flatMap((kind) => kind.tables);
      expect((await readFacts(examined, tables)).server.not_usable).toEqual(["toys"]);
    } finally {
      await examined.close();
      await db.sql.unsafe(`DROP OWNED BY ${role}; DROP ROLE ${role}`);
    }
  });
});

describe("tokens of users", () => {
  const app = useApp(db, { kinds: WITH_TOY, env: { TOY_AUTH: "jwt", JWT_SECRET: SECRET } });

  it("are for any kind that wants them, and for no other", async () => {
    const bearer = async (user: string) => ({ Authorization: `Bearer ${await signUserToken(user, SECRET)}` });
    const refused = await app.get("/api/v1/toys/mina");
    expect([refused.status, refused.headers.get("www-authenticate")]).toEqual([401, 'Bearer realm="keybeat toys"']);
    expect((await app.get("/api/v1/toys/mina", await bearer("jun"))).status).toBe(403);
    expect((await app.get("/api/v1/toys/mina", await bearer("mina"))).status).toBe(200);
    expect((await app.post("/api/v1/session/create", { user_id: "mina", session_id: "s" })).status).toBe(200);
  });

  it("must be something that can be checked, whichever kind wants them", () => {
    expect(() => readConfig({ TOY_AUTH: "jwt" }, WITH_TOY)).toThrow("TOY_AUTH jwt needs JWT_SECRET or JWKS_URL");
    expect(() =>
      readConfig({ TOY_AUTH: "jwt", JWT_SECRET: SECRET, JWKS_URL: "https://example.com/keys" }, WITH_TOY),
    ).toThrow("JWT_SECRET and JWKS_URL are both set");
    expect(readConfig({ JWT_SECRET: SECRET }, WITH_TOY).userTokens).toMatchObject({ secret: SECRET });
    expect(readConfig({}, WITH_TOY).userTokens).toBeUndefined();
  });
});

describe("the list as it is", () => {
  it("has each table that is declared once: of one kind, or shared", async () => {
    const names = readdirSync("drizzle").map((file) => file.replace(/\.ts$/, ""));
    const modules: object[] = await Promise.all(names.map((name) => import(`../../drizzle/${name}.ts`)));
    const declared = modules.flatMap((module) =>
      Object.values(module)
        .filter((one) => isTable(one))
        .map(getTableName),
    );
    expect([...SHARED_TABLES, ...KINDS.flatMap(({ tables }) => tables)].sort()).toEqual(declared.sort());
  });

  it("gives every name once", () => {
    const names = KINDS.map(({ name }) => name);
    const variables = KINDS.flatMap(({ settings }) => Object.keys(settings.shape));
    expect([new Set(names).size, new Set(variables).size]).toEqual([names.length, variables.length]);
  });
});
