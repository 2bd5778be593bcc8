/** What the program says in its log. */
import { describe, expect, it } from "vitest";
import { createHashKey, createKey } from "../../src/keys/index.ts";
import { useDatabase } from "../support/database.ts";
import { BY } from "../support/operator.ts";
import { startServer } from "../support/process.ts";
import { newAccessKey, newSessionId } from "../support/secrets.ts";
import { waitUntil } from "../support/wait-until.ts";
import { useProcesses } from "./support/sockets.ts";

const db = useDatabase();
useProcesses();

const serve = (env: Record<string, string> = {}) => startServer({ DATABASE_URL: db.url, ...env });

describe("the log", () => {
  it("is JSON lines where no terminal looks on, all but the ready line, and carries no secret", async () => {
    const secrets = { ADMIN_TOKEN: "the-admin-token-itself", KEY_PEPPER: "the-pepper-itself" };
    const forgetPepper = () => db.sql`UPDATE service_state SET pepper_mark = NULL`;
    await forgetPepper(); // the other tests of this file make keys without one
    const server = await serve({ ...secrets, LOG_LEVEL: "trace", CLEANUP_CRON: "* * * * * *" });
    const key = newAccessKey();
    await createKey(db.database, createHashKey(secrets.KEY_PEPPER), { key }, BY);
    const session_id = newSessionId();
    const body = { access_key: key, session_id, device: { name: "PC" } };
    expect((await server.post("/api/session/start", body)).status).toBe(200);
    for (const verb of ["heartbeat", "status", "end"]) await server.post(`/api/session/${verb}`, body);
    await server.post("/api/session/start", `{"access_key": "${key}", broken`);
    await server.post("/api/admin/cleanup-sessions", {}, { "X-Admin-Password": secrets.ADMIN_TOKEN });
    await server.get(`/no/such/path?session_id=${session_id}`, { Authorization: `Bearer ${session_id}` });

    await db.sql`ALTER FUNCTION end_session(text) RENAME TO elsewhere`;
    const failed = await server.post("/api/session/end", body, { "X-Request-Id": "find-me-in-the-log" });
    await db.sql`ALTER FUNCTION elsewhere(text) RENAME TO end_session`;
    expect([failed.status, failed.body.code]).toEqual([500, "internal_error"]);
    expect(JSON.stringify(failed.body)).not.toMatch(/function|exist/);
    await db.sql`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'keybeat %'`;
    await waitUntil(async () => (await server.get("/health")).status === 200);
    await waitUntil(() => server.output().includes("cleanup finished"));
    expect(await server.stop()).toBe(0);
    await forgetPepper();

    const lines = server.output().trimEnd().split("\n");
    const logged = lines.filter((line) => !line.startsWith("listening on http://")).map((line) => JSON.parse(line));
    expect(lines.length - logged.length).toBe(1);
    for (const line of logged) expect(line).toMatchObject({ level: expect.any(Number), msg: expect.any(String) });
    expect(logged.every((line) => !Number.isNaN(Date.parse(line.time)))).toBe(true);
    expect(logged.find((line) => line.request_id === "find-me-in-the-log")?.err.message).toContain("end_session");
    const password = new URL(db.url).password;
    for (const secret of [...Object.values(secrets), ...(password ? [password] : [])]) {
      expect(server.output()).not.toContain(secret);
    }
  });

  it("with LOG_LEVEL=silent says nothing but that it listens", async () => {
    const server = await serve({ LOG_LEVEL: "silent" });
    expect(await server.stop()).toBe(0);
    expect(server.output()).toBe(`listening on ${server.url.replace("127.0.0.1", "0.0.0.0")}\n`);
  });
});
