/** What the embedded PostgreSQL and the service in it may do, also in data of a release that let it do more. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { chmod, mkdir, open } from "node:fs/promises";
import { join } from "node:path";
import postgres from "postgres";
import { describe, expect, it } from "vitest";
import { prepareCluster, superuserUrlOf } from "../../../src/database/embedded/cluster.ts";
import { startServer as startPostgres, stopServer as stopPostgres } from "../../../src/database/embedded/server.ts";
import { migrateDatabase } from "../../../src/database/migrate.ts";
import { keybeat } from "../../support/process.ts";
import { waitUntil } from "../../support/wait-until.ts";
import { useDataFolders } from "./support/data-folder.ts";

const { emptyFolder, markOf, newDataDir, postmasterOf, printed, readIn, serve, start, superuser } = useDataFolders();

describe("what the database may do", () => {
  it("the service, and psql by its address, reach no file, no program and no other role", async () => {
    const dataDir = await newDataDir();
    const server = await serve(dataDir);
    const sql = postgres(readIn(dataDir, "database-url").trim(), { max: 1, fetch_types: false });
    for (const statement of [
      "COPY (SELECT 1) TO PROGRAM 'id'",
      "COPY keys TO '/tmp/keys'",
      "SELECT pg_read_file('/etc/passwd')",
      "SELECT lo_import('/etc/passwd')",
      "CREATE ROLE another SUPERUSER",
      "ALTER SYSTEM SET log_parameter_max_length = -1",
      "SET ROLE keybeat",
    ]) {
      await expect(sql.unsafe(statement), statement).rejects.toMatchObject({ code: "42501" });
    }
    // What operators ask for works, and the tables are theirs.
    expect(
      (await sql`SELECT count(*)::int AS n FROM pg_stat_activity WHERE query = '<insufficient privilege>'`)[0]?.n,
    ).toBe(0);
    await sql`ALTER TABLE keys SET (fillfactor = 90)`;
    await sql.end();
    expect(await server.stop()).toBe(0);
  });

  it("has no capability and cannot gain one, also in a folder that only root may enter, and none of our secrets", async () => {
    const locked = join(await emptyFolder(), "private");
    await mkdir(locked, { mode: 0o700 });
    const dataDir = join(locked, "data");
    const nonsense = join(locked, "lib");
    await mkdir(nonsense);
    writeFileSync(join(nonsense, "libxml2.so.2"), "no library");
    const server = await serve(dataDir, {
      KEY_PEPPER: "a-pepper-of-the-operator",
      ADMIN_TOKEN: "a-token-of-the-operator",
      LD_LIBRARY_PATH: nonsense,
      PGDATA: "/nowhere",
      PGOPTIONS: "-c nonsense=1",
      LC_ALL: "xx_XX",
      LANG: "xx_XX",
    });
    const proc = (file: string) => readFileSync(`/proc/${postmasterOf(dataDir)}/${file}`, "utf8");
    const status = Object.fromEntries(
      proc("status")
        .split("\n")
        .map((line) => line.split(/:\s+/)),
    );
    for (const set of ["CapInh", "CapPrm", "CapEff", "CapAmb"])
      expect([set, status[set]]).toEqual([set, "0".repeat(16)]);
    if (process.getuid?.() === 0) {
      expect(status).toMatchObject({ NoNewPrivs: "1", CapBnd: "0".repeat(16) });
      expect(status.Uid.split("\t")).not.toContain("0");
    }
    const names = proc("environ")
      .split("\0")
      .filter(Boolean)
      .map((setting) => setting.split("=")[0] as string);
    expect(names.filter((name) => !["PATH", "TZ", "TMPDIR", "LC_ALL"].includes(name))).toEqual([]);
    expect(await server.stop()).toBe(0);
  });

  it("its log shows no session id, though it is told to log every statement and one fails", async () => {
    const dataDir = await newDataDir();
    const server = await serve(dataDir);
    const sql = superuser(dataDir, "keybeat");
    await sql`ALTER SYSTEM SET log_min_duration_statement = 0`;
    await sql`ALTER SYSTEM SET log_statement = 'all'`;
    await sql`SELECT pg_reload_conf()`;
    await waitUntil(async () => (await sql`SHOW log_statement`)[0]?.log_statement === "all");
    const { session_id } = await start(server, printed(server, "demo key"));
    const again = sql`INSERT INTO active_sessions SELECT * FROM active_sessions WHERE session_id = ${session_id}`;
    await expect(again).rejects.toMatchObject({ code: "23505" });
    await sql.end();
    expect(await server.stop()).toBe(0);
    expect(readIn(dataDir, "postgres.log")).toMatch(/duration: [\s\S]*duplicate key/);
    expect(readIn(dataDir, "postgres.log")).not.toContain(session_id);
  });
});

describe("data of a release whose service was the superuser", () => {
  const leftByIt = async () => {
    const dataDir = await newDataDir();
    const cluster = await prepareCluster(dataDir);
    const port = await startPostgres(cluster);
    const url = superuserUrlOf(cluster, port);
    const sql = postgres(url.replace(/keybeat$/, "postgres"), { max: 1, fetch_types: false });
    await sql`CREATE DATABASE keybeat`;
    await sql.end();
    await migrateDatabase(url);
    await stopPostgres(cluster);
    return { dataDir, cluster, port };
  };

  const expectHandedOver = async (dataDir: string) => {
    const sql = superuser(dataDir, "keybeat");
    const left = await sql`
      SELECT relname AS name FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace
      WHERE relowner = 'keybeat'::regrole AND nspname IN ('public', 'drizzle')
      UNION ALL SELECT proname FROM pg_proc WHERE proowner = 'keybeat'::regrole AND pronamespace = 'public'::regnamespace
      UNION ALL SELECT nspname FROM pg_namespace WHERE nspowner = 'keybeat'::regrole AND nspname = 'drizzle'`;
    expect(left.map(({ name }) => name)).toEqual([]);
    expect((await sql`SELECT rolsuper FROM pg_roles WHERE rolname = 'keybeat_service'`)[0]?.rolsuper).toBe(false);
    await sql.end();
  };

  it("is the service's after the next start, with everything in it, though several come at once", async () => {
    const { dataDir } = await leftByIt();
    const [made, , server] = await Promise.all([
      keybeat(["keys", "create"], { DATA_DIR: dataDir }),
      keybeat(["keys", "list"], { DATA_DIR: dataDir }),
      serve(dataDir),
    ]);
    await expectHandedOver(dataDir);
    expect((await start(server, made.stdout.trim())).status).toBe(200);
    const sql = postgres(readIn(dataDir, "database-url").trim(), { max: 1, fetch_types: false });
    await sql`CALL tidy_history(90, NULL, NULL)`;
    await sql.end();
    expect(await server.stop()).toBe(0);
  });

  it("and its server, which it was killed under, is started anew with what it may do now", async () => {
    const { dataDir, cluster, port } = await leftByIt();
    await chmod(dataDir, 0o755); // as that release made it
    const log = await open(cluster.logFile, "a");
    const args = ["-D", cluster.dir, "-p", String(port), "-c", "unix_socket_directories="];
    const old = cluster.runAs.launch("/", cluster.programs.postgres, args, log.fd);
    await log.close();
    await waitUntil(() => existsSync(markOf(dataDir)) && readFileSync(markOf(dataDir), "utf8").includes("ready"));
    const server = await serve(dataDir);
    expect(old.exitCode).toBe(0);
    expect(postmasterOf(dataDir)).not.toBe(old.pid);
    await expectHandedOver(dataDir);
    expect(await server.stop()).toBe(0);
  });
});
