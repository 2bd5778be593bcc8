/** Tables in another schema than public, and a role that may do no more than serve. */
import { readFileSync } from "node:fs";
import postgres from "postgres";
import { afterEach, describe, expect, inject, it } from "vitest";
import { useEmptyDatabase } from "../support/empty-database.ts";
import { keybeat, startServer } from "../support/process.ts";
import { newSessionId } from "../support/secrets.ts";
import { useSoundServer } from "../support/sound-server.ts";

/** Some ten processes are started one after the other. */
const LONG_MS = 180_000;

/** Named as the database is. */
afterEach(async () => {
  const admin = postgres(inject("serverUrl"), { max: 1, onnotice: () => {} });
  await admin.unsafe(`DROP ROLE IF EXISTS ${empty.name}`);
  await admin.end();
});
useSoundServer();
const empty = useEmptyDatabase(); // dropped before its role

async function makeKey(DATABASE_URL: string): Promise<string> {
  const made = await keybeat(["keys", "create", "--json"], { DATABASE_URL });
  expect(made).toMatchObject({ code: 0, stderr: "" });
  return JSON.parse(made.stdout).access_key;
}

/** Serves there: a takeover of a key, a place in the waiting room, a cleanup. */
async function expectServes(
  DATABASE_URL: string,
  access_key: string,
  env: Record<string, string> = {},
): Promise<string> {
  const server = await startServer({ DATABASE_URL, ADMIN_TOKEN: "a-token-of-the-schema-test", ...env });
  const post = (path: string, body: object) => server.post(`/api/session/${path}`, body);
  const [first, second] = [newSessionId(), newSessionId()];
  expect((await post("start", { access_key, session_id: first })).status).toBe(200);
  const taken = await post("start", { access_key, session_id: second });
  expect(taken.body.previous_session_terminated).toBe(true);
  expect((await post("heartbeat", { session_id: first })).body.code).toBe("session_replaced");
  expect((await post("heartbeat", { session_id: second })).status).toBe(200);
  expect((await post("end", { session_id: second })).body).toEqual({ success: true });
  const place = { user_id: "jun", session_id: "tab-1" };
  expect((await server.post("/api/v1/session/create", place)).body.status).toBe("active");
  expect((await server.post("/api/v1/session/close/jun", {})).status).toBe(200);
  const admins = { Authorization: "Bearer a-token-of-the-schema-test" };
  expect((await server.get("/api/admin/keys", admins)).body.items).toHaveLength(1);
  expect((await server.post("/api/admin/cleanup-sessions", {}, admins)).status).toBe(200);
  expect(await server.stop()).toBe(0);
  return server.output();
}

const tablesIn = async (schema: string) =>
  (await empty.sql`SELECT FROM pg_class WHERE relnamespace = to_regnamespace(${schema}) AND relkind IN ('r', 'p')`)
    .length;

describe("another schema", () => {
  it.each([
    ["options=-c search_path=keybeat", "options=-c%20search_path%3Dkeybeat", "keybeat"],
    ["Prisma's schema=, a name that needs quotes", "schema=Key-Beat", '"Key-Beat"'],
  ])(
    "%s: is made, migrated once, and serves; the schema public stays empty",
    async (_what, query, schema) => {
      const there = `${empty.url}?${query}`;
      expect(await keybeat(["migrate"], { DATABASE_URL: there })).toMatchObject({ code: 0, stderr: "" });
      expect((await keybeat(["migrate"], { DATABASE_URL: there })).stdout).toBe("the schema is up to date\n");
      const key = await makeKey(there);
      await expectServes(there, key);
      expect(await tablesIn(schema)).toBeGreaterThan(13);
      expect(await tablesIn("public")).toBe(0);
      const doctor = await keybeat(["doctor"], { DATABASE_URL: there, PORT: "0" });
      expect(doctor.stdout).not.toMatch(/^FAIL/m);
      expect((await keybeat(["top", "--once", "--json"], { DATABASE_URL: there })).code).toBe(0);
    },
    LONG_MS,
  );

  it(
    "stands beside one in public, each with its own keys and migrations",
    async () => {
      const there = `${empty.url}?schema=beside`;
      const [here, beside] = [await makeKey(empty.url), await makeKey(there)];
      expect(here).not.toBe(beside);
      await expectServes(empty.url, here);
      await expectServes(there, beside);
      expect(await tablesIn("public")).toBe((await tablesIn("beside")) - 1); // its own journal
    },
    LONG_MS,
  );

  it(
    "of the user's name is passed over while it is empty, and refused when its tables would mix with those in public",
    async () => {
      await makeKey(empty.url);
      const [row] = await empty.sql`SELECT current_user AS name`;
      await empty.sql.unsafe(`CREATE SCHEMA "${row?.name}"`);
      expect((await keybeat(["migrate"], { DATABASE_URL: empty.url })).stdout).toBe("the schema is up to date\n");
      await makeKey(`${empty.url}?schema=${row?.name}`);
      const mixed = await keybeat(["keys", "list"], { DATABASE_URL: empty.url });
      expect(mixed.stderr).toMatch(/^keybeat: search_path [^\n]* shows the tables of two Keybeats[^\n]*\n$/);
    },
    LONG_MS,
  );

  it("that is none is refused in one line", async () => {
    const { code, stdout, stderr } = await keybeat(["serve"], {
      DATABASE_URL: `${empty.url}?options=-c%20search_path%3Da,b`,
    });
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toMatch(/^keybeat: no schema of search_path \(a, ?b\) exists[^\n]*\n$/);
  });
});

describe("a role that may only serve", () => {
  it(
    "serves with the rights of the guide, and no more; what needs the owner says so",
    async () => {
      const key = await makeKey(empty.url);
      const guide = readFileSync("scripts/deploy/README.md", "utf8");
      const script = /<!-- run by test\/database\/schema\.long\.ts -->\n```sql\n([^`]*)```/.exec(guide)?.[1] as string;
      await empty.sql.unsafe(script.replaceAll("keybeat_serve", empty.name).replace("'…'", "'a-secret-password'"));
      await empty.sql`REVOKE CREATE ON SCHEMA public FROM PUBLIC`;
      const own = new URL(empty.url);
      own.username = empty.name;
      own.password = "a-secret-password";
      const output = await expectServes(own.href, key, { CLEANUP_CRON: "" });
      expect(output).not.toMatch(/permission denied|must be owner/);
      expect((await keybeat(["migrate"], { DATABASE_URL: own.href })).stdout).toBe("the schema is up to date\n");
      const doctor = await keybeat(["doctor"], { DATABASE_URL: own.href, PORT: "0" });
      expect(doctor.stdout).not.toMatch(/^FAIL/m);
      expect(doctor.stdout).toMatch(/^WARN permissions +\w+ may serve; .*owner/m);
      expect((await keybeat(["top", "--once"], { DATABASE_URL: own.href })).code).toBe(0);
      await empty.sql.unsafe(`DROP OWNED BY ${empty.name}`);
    },
    LONG_MS,
  );

  it("is refused in one line where a migration is due", async () => {
    await empty.sql.unsafe(`CREATE ROLE ${empty.name} LOGIN PASSWORD 'a-secret-password'`);
    const own = new URL(empty.url);
    own.username = empty.name;
    own.password = "a-secret-password";
    const { code, stderr } = await keybeat(["serve"], { DATABASE_URL: own.href });
    expect(code).toBe(1);
    expect(stderr).toMatch(/^keybeat: the database at [^\n]* could not be migrated: permission denied[^\n]*\n$/);
  });
});
