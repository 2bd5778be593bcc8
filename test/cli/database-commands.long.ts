import { describe, expect, inject, it } from "vitest";
import { useApp } from "../support/app.ts";
import { useDatabase } from "../support/database.ts";
import { databaseUrl } from "../support/database-url.ts";
import { createEmptyDatabase } from "../support/empty-database.ts";
import { keybeat } from "../support/process.ts";
import { findSecrets, newSessionId } from "../support/secrets.ts";

const db = useDatabase();
const app = useApp(db);

async function inEmptyDatabase(run: (url: string) => Promise<void>): Promise<void> {
  const { url, drop } = await createEmptyDatabase();
  await run(url).finally(drop);
}

async function newSession(): Promise<{ id: number; session_id: string }> {
  const { key, id } = await db.makeKey();
  const session_id = newSessionId();
  await app.post("/api/session/start", { access_key: key, session_id });
  return { id, session_id };
}

describe("keybeat migrate", () => {
  it("brings an empty database up to date, and the second time says that it is", async () => {
    await inEmptyDatabase(async (url) => {
      const first = await keybeat(["migrate"], { DATABASE_URL: url });
      expect(first.stdout).toMatch(/^applied [1-9]\d* migration\(s\)\n$/);
      expect([first.code, first.stderr]).toEqual([0, ""]);
      const second = await keybeat(["migrate"], { DATABASE_URL: url });
      expect(second).toEqual({ code: 0, stdout: "the schema is up to date\n", stderr: "" });
      expect((await keybeat(["keys", "create"], { DATABASE_URL: url })).code).toBe(0);
    });
  });

  it("is done once where three do it at the same time, and --json says by whom", async () => {
    await inEmptyDatabase(async (url) => {
      const results = await Promise.all([1, 2, 3].map(() => keybeat(["migrate", "--json"], { DATABASE_URL: url })));
      const reports = results.map(({ stdout }) => JSON.parse(stdout));
      expect(reports.map(({ applied }) => applied > 0).sort()).toEqual([false, false, true]);
      for (const { server_version } of reports) expect(server_version).toMatch(/^\d\d/);
      expect(results.map(({ code }) => code)).toEqual([0, 0, 0]);
    });
  });

  it("needs no migration before it: any command brings an empty database up to date", async () => {
    await inEmptyDatabase(async (url) => {
      expect((await keybeat(["keys", "list"], { DATABASE_URL: url })).stdout).toMatch(/^no keys yet/);
    });
  });
});

describe("keybeat cleanup", () => {
  it("ends the silent sessions, says how many, and finds none the second time", async () => {
    await keybeat(["cleanup"], { DATABASE_URL: db.url });
    const silent = [await newSession(), await newSession()];
    const live = await newSession();
    for (const { id } of silent) await db.age(id, 61);
    const { code, stdout, stderr } = await keybeat(["cleanup"], { DATABASE_URL: db.url });
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toMatch(/^cleaned up 2 expired session\(s\), 1 live$/m);
    expect(findSecrets(stdout)).toEqual([]);
    const again = await keybeat(["cleanup"], { DATABASE_URL: db.url });
    expect(again.stdout).toMatch(/^cleaned up 0 expired session\(s\), 1 live$/m);
    expect((await app.post("/api/session/heartbeat", { session_id: live.session_id })).status).toBe(200);
    await app.post("/api/session/end", { session_id: live.session_id });
  });

  it("prints one JSON object and no log with --json", async () => {
    await keybeat(["cleanup"], { DATABASE_URL: db.url });
    const { id, session_id } = await newSession();
    await db.age(id, 61);
    const { code, stdout } = await keybeat(["cleanup", "--json"], { DATABASE_URL: db.url });
    expect(JSON.parse(stdout)).toEqual({ deleted: 1, remaining: 0 });
    expect(code).toBe(0);
    const { status, body } = await app.post("/api/session/heartbeat", { session_id });
    expect([status, body.code]).toEqual([410, "session_expired"]);
  });
});

describe("every command that needs the database, but serve and migrate, which wait for it,", () => {
  it.each(["cleanup", "keys list", "keys create", "sessions list"])(
    "exits with 1 and one line, no stack and no password, where it is away: %s",
    async (command) => {
      const url = "postgres://someone:the-password@127.0.0.1:1/sessions";
      const { code, stdout, stderr } = await keybeat(command.split(" "), { DATABASE_URL: url });
      expect(stderr).toMatch(/^keybeat: the database at 127\.0\.0\.1:1\/sessions cannot be reached: .*\n$/);
      expect(stdout + stderr).not.toContain("the-password");
      expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    },
  );

  it("names a database that is not there", async () => {
    const url = databaseUrl(inject("serverUrl"), "no_such_database");
    const { code, stderr } = await keybeat(["cleanup"], { DATABASE_URL: url });
    expect(stderr).toMatch(/^keybeat: the database at .*\/no_such_database cannot be reached: .*does not exist\n$/);
    expect(code).toBe(1);
  });
});
