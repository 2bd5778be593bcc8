/** The data folder: where it may lie, what it may be called, and what in it is refused. */
import { existsSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { keybeat } from "../../support/process.ts";
import { useDataFolders } from "./support/data-folder.ts";

const { emptyFolder, expectRefused, importKeys, newDataDir, printed, serve, start } = useDataFolders();

describe("the folder", () => {
  it("may lie below one that only its owner may enter, which for root's PostgreSQL is another user", async () => {
    const folder = await emptyFolder();
    const locked = join(folder, "private");
    await mkdir(locked, { mode: process.getuid?.() === 0 ? 0o700 : 0o755 });
    const server = await serve(join(locked, "data"));
    expect((await start(server, printed(server, "demo key"))).status).toBe(200);
    expect(await server.stop()).toBe(0);
    expect((await keybeat(["keys", "list"], { DATA_DIR: join(locked, "data") })).code).toBe(0);
  });

  it("may have spaces, an apostrophe and accents in its name", async () => {
    const dataDir = join(await emptyFolder(), "Büro – it's data");
    const result = await keybeat(["keys", "create"], { DATA_DIR: dataDir });
    expect(result).toMatchObject({ code: 0, stderr: "" });
    const server = await serve(dataDir);
    expect((await start(server, result.stdout.trim())).status).toBe(200);
    expect(await server.stop()).toBe(0);
  });

  it("may have a name that a shell would misread", async () => {
    const dataDir = join(await emptyFolder(), '$HOME `id` "\\');
    expect(await keybeat(["keys", "create"], { DATA_DIR: dataDir })).toMatchObject({ code: 0, stderr: "" });
  });

  it("of another major version is refused in one line, and left as it is", async () => {
    const dataDir = await newDataDir();
    const [key] = await importKeys(dataDir, 1);
    const version = join(dataDir, "postgres", "PG_VERSION");
    writeFileSync(version, "17\n");
    expectRefused(await keybeat(["serve"], { DATA_DIR: dataDir, PORT: "0" }), /PostgreSQL 17.* 18/);
    expectRefused(await keybeat(["keys", "list"], { DATA_DIR: dataDir }), /PostgreSQL 17.* 18/);
    writeFileSync(version, "18\n");
    const server = await serve(dataDir);
    expect((await start(server, key as string)).status).toBe(200);
    expect(await server.stop()).toBe(0);
  });

  it.each(["postgres.log", "postgres-password", "database-url", "postgres.log.old"])(
    "a link in place of its file %s leads nowhere: what it names is neither read nor written",
    async (name) => {
      const dataDir = await newDataDir();
      await mkdir(dataDir);
      const victim = join(dataDir, "..", "victim");
      writeFileSync(victim, "as it was", { mode: 0o644 });
      symlinkSync(victim, join(dataDir, name));
      const result = await keybeat(["keys", "list"], { DATA_DIR: dataDir });
      if (result.code !== 0) expectRefused(result, new RegExp(`${name}'|${name} is a link`));
      expect([readFileSync(victim, "utf8"), statSync(victim).mode & 0o777]).toEqual(["as it was", 0o644]);
      expect(existsSync(join(dataDir, "postgres"))).toBe(result.code === 0);
    },
  );

  it("with something else where the data should be is refused in one line, and left as it is", async () => {
    const dataDir = await newDataDir();
    await mkdir(join(dataDir, "postgres"), { recursive: true });
    writeFileSync(join(dataDir, "postgres", "notes"), "mine");
    expectRefused(await keybeat(["keys", "list"], { DATA_DIR: dataDir }), /in the way/);
    expect(readdirSync(dataDir).filter((name) => name.startsWith("postgres."))).toEqual([]);
  });

  it("may have a path longer than a socket's", async () => {
    const dataDir = join(await emptyFolder(), "long ".repeat(30), "folder ".repeat(30), "data");
    expect(await keybeat(["keys", "create"], { DATA_DIR: dataDir })).toMatchObject({ code: 0, stderr: "" });
  });

  it("that is a file is refused in one line", async () => {
    const file = join(await emptyFolder(), "file");
    writeFileSync(file, "");
    expectRefused(await keybeat(["serve"], { DATA_DIR: file, PORT: "0" }), /file/);
  });
});
