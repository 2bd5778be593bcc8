/** The first run of the embedded PostgreSQL, and what it leaves in the data folder. */
import { execFile } from "node:child_process";
import { existsSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { chmod } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { decodeJwt } from "jose";
import { describe, expect, it } from "vitest";
import { keybeat, type RunningServer } from "../../support/process.ts";
import { useDataFolders } from "./support/data-folder.ts";

const run = promisify(execFile);

const { newDataDir, printed, readIn, serve } = useDataFolders();

describe("the first run", () => {
  it("prints where the database is, an admin token, a demo key and a curl that works when pasted; the second finds them", async () => {
    const dataDir = await newDataDir();
    const first = await serve(dataDir);
    expect(first.output()).toMatch(/^database +embedded PostgreSQL 18 in /m);
    expect(first.output().trimEnd().split("\n").at(-1)).toBe(`listening on ${first.url}`);
    expect(first.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    const [token, key] = [printed(first, "admin token"), printed(first, "demo key")];

    const command = /^try it +(curl .*)$/m.exec(first.output())?.[1] as string;
    const pasted = JSON.parse((await run("sh", ["-c", command])).stdout);
    expect(pasted).toMatchObject({ success: true, previous_session_terminated: false });
    const admin = (server: RunningServer) =>
      server.post("/api/admin/cleanup-sessions", {}, { Authorization: `Bearer ${token}` });
    expect((await admin(first)).status).toBe(200);
    expect(await first.stop()).toBe(0);

    const second = await serve(dataDir);
    expect(second.output()).not.toMatch(/demo key|try it/);
    expect(second.output()).not.toContain(token);
    expect(second.output()).toMatch(/^admin token +in .*admin-token$/m);
    for (const server of [first, second]) {
      const hint = /^user token +npm run keybeat -- (token .+?) {3}\((.+)\)$/m.exec(server.output()) as RegExpExecArray;
      expect(hint[2]).toMatch(`signed by ${dataDir}/jwt-secret`);
      const { stdout } = await keybeat((hint[1] as string).split(" "), { DATA_DIR: dataDir });
      expect(decodeJwt(stdout.trim()).role).toBe("service");
      expect(server.output()).not.toContain(readIn(dataDir, "jwt-secret").trim());
    }
    expect((await admin(second)).status).toBe(200);
    const status = await second.post("/api/session/status", { access_key: key });
    expect(status.body).toMatchObject({ active: true, session: { device: { name: "Device A" } } });
    expect(await second.stop()).toBe(0);
  });

  it("keeps every file to the owner of the folder, whatever the umask, those that a release before left open, too", async () => {
    const dataDir = await newDataDir();
    const umask = process.umask(0);
    const server = await serve(dataDir).finally(() => process.umask(umask));
    const open = () =>
      [".", ...readdirSync(dataDir, { recursive: true, encoding: "utf8" })].filter(
        (path) => (statSync(join(dataDir, path)).mode & 0o077) !== 0,
      );
    expect(open()).toEqual([]);
    expect(readIn(dataDir, "database-url")).toMatch(/^postgres:\/\/keybeat_service:\w+@127\.0\.0\.1:\d+\/keybeat\n$/);
    expect(await server.stop()).toBe(0);

    writeFileSync(join(dataDir, "postgres.log"), "x".repeat(10_000_001));
    for (const file of ["postgres.log", "postgres-password", "database-url", "admin-token"])
      await chmod(join(dataDir, file), 0o644);
    const second = await serve(dataDir);
    expect(statSync(join(dataDir, "postgres.log.old")).size).toBe(10_000_001);
    expect(open()).toEqual([]);
    expect(await second.stop()).toBe(0);
  });

  it("makes up no token where one is given", async () => {
    const dataDir = await newDataDir();
    const server = await serve(dataDir, { ADMIN_TOKEN: "given-by-the-operator" });
    expect(server.output()).not.toContain("given-by-the-operator");
    expect(existsSync(join(dataDir, "admin-token"))).toBe(false);
    expect(await server.stop()).toBe(0);
  });
});
