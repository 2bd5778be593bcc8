import { describe, expect, it } from "vitest";
import { useApp } from "../support/app.ts";
import { useDatabase } from "../support/database.ts";
import { keybeat } from "../support/process.ts";
import { findSecrets, newSessionId } from "../support/secrets.ts";

const db = useDatabase();
const app = useApp(db);

async function newSession(): Promise<{ id: number; session_id: string }> {
  const { key, id } = await db.makeKey();
  const session_id = newSessionId();
  await app.post("/api/session/start", { access_key: key, session_id });
  return { id, session_id };
}

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
