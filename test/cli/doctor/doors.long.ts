/** `keybeat doctor` before a database that it cannot enter. */
import { createServer } from "node:net";
import { describe, expect, it } from "vitest";
import { databaseUrl } from "../../support/database-url.ts";
import { startProxy } from "../../support/proxy.ts";
import { of, useDoctor } from "./support/doctor.ts";

const { db, undo, doctor, spoil, listen } = useDoctor();

describe("keybeat doctor before the database's doors", () => {
  const closed = async () => {
    const server = createServer();
    const port = await listen(server);
    await new Promise((done) => server.close(done));
    return `postgres://u:a-secret-password@127.0.0.1:${port}/x`;
  };
  const withPassword = (password: string) => {
    const url = new URL(db.url);
    url.password = password;
    return url.href;
  };
  const doors: Array<[what: string, url: () => Promise<string> | string, message: RegExp, mend: RegExp]> = [
    ["an unknown name", () => "postgres://u:a-secret-password@nowhere.invalid/x", /name of the host/, /DNS/],
    ["nothing there", closed, /nothing listens/, /start PostgreSQL/],
    ["a wrong password", () => withPassword("a-secret-password"), /password is wrong/, /user and password/],
    ["no such database", () => databaseUrl(db.url, "no_such_database"), /does not exist/, /createdb/],
    ["no TLS at the server", () => `${db.url}?sslmode=require`, /cut before|TLS/, /sslmode/],
  ];
  it.each(doors)("says so and what to do: %s", async (_what, url, message, mend) => {
    const [finding] = of(await doctor({ DATABASE_URL: await url() }), "database");
    expect(finding).toMatchObject({ state: "fail", message: expect.stringMatching(message) });
    expect(finding?.mend).toMatch(mend);
    expect(JSON.stringify(finding)).not.toContain("a-secret-password");
  });

  const closedTo: Array<[what: string, how: (role: string) => string, message: RegExp, mend: RegExp]> = [
    ["may not log in", (role) => `ALTER ROLE ${role} NOLOGIN`, /does not let this user in/, /pg_hba\.conf/],
    [
      "has no connection left",
      (role) => `ALTER ROLE ${role} CONNECTION LIMIT 0`,
      /no connection left/,
      /max_connections/,
    ],
    ["may not connect", () => `REVOKE CONNECT ON DATABASE ${db.name} FROM PUBLIC`, /may not connect/, /GRANT CONNECT/],
  ];
  it.each(closedTo)("says so and what to do: a user who %s", async (_what, how, message, mend) => {
    const role = `keybeat_visitor_${process.pid}`;
    await spoil(`CREATE ROLE ${role} LOGIN PASSWORD 'a-secret-password'`, `DROP ROLE ${role}`);
    await spoil(how(role), `GRANT CONNECT ON DATABASE ${db.name} TO PUBLIC`);
    const url = new URL(withPassword("a-secret-password"));
    url.username = role;
    const [finding] = of(await doctor({ DATABASE_URL: url.href }), "database");
    expect(finding).toMatchObject({ state: "fail", message: expect.stringMatching(message) });
    expect(finding?.mend).toMatch(mend);
  });

  it("gives up on an address where nothing answers at all", async () => {
    const port = await listen(createServer(() => {}));
    const [finding] = of(await doctor({ DATABASE_URL: `postgres://u:p@127.0.0.1:${port}/x` }), "database");
    expect(finding).toMatchObject({ state: "fail", message: expect.stringContaining("nothing answers") });
  });

  it("sees that a database comes back after it was away", async () => {
    const proxy = await startProxy(db.url);
    undo.push(() => proxy.close());
    await proxy.set("refuse");
    expect(of(await doctor({ DATABASE_URL: proxy.url }), "database")[0]?.state).toBe("fail");
    await proxy.set("pass");
    expect(of(await doctor({ DATABASE_URL: proxy.url }), "database")[0]?.state).toBe("ok");
  });
});
