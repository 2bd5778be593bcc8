/** Secrets by variable and by file, with what editors, orchestrators and people put around them. */
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { findBadSettings, readConfig } from "../src/config.ts";
import { welcome } from "../src/first-run.ts";
import { expectPepper } from "../src/keys/index.ts";
import { SECRETS, type SecretName } from "../src/secrets.ts";
import { cloneDatabase, useDatabase } from "./support/database.ts";
import { keybeat, startServer } from "./support/process.ts";

const db = useDatabase();
const folder = mkdtempSync(join(tmpdir(), "keybeat-secrets-"));
afterAll(() => rmSync(folder, { recursive: true }));

const GOOD: Record<SecretName, string> = {
  DATABASE_URL: "postgres://keybeat:a-password@db.example/keybeat",
  ADMIN_TOKEN: "0123456789abcdef",
  KEY_PEPPER: "a pepper with blanks in it",
  JWT_SECRET: "0123456789abcdef0123456789abcdef",
  SIGNING_KEY: Buffer.alloc(32, 7).toString("base64url"),
};
const settingOf = (name: SecretName, config = readConfig({})) => config.secrets[name];
let files = 0;
function fileOf(text: string | Uint8Array): string {
  const file = join(folder, `secret-${++files}`);
  writeFileSync(file, text);
  return file;
}

describe.each(SECRETS)("%s", (name) => {
  const [good, inFile] = [GOOD[name], `${name}_FILE`];

  it("is the same with a line's end or without, in its variable or in a file", () => {
    for (const end of ["", "\n", "\r\n", "\n\n", "\r"]) {
      expect(settingOf(name, readConfig({ [name]: good + end }))).toBe(good);
      expect(settingOf(name, readConfig({ [inFile]: fileOf(good + end) }))).toBe(good);
    }
    expect(settingOf(name, readConfig({ [name]: "", [inFile]: "" }))).toBeUndefined();
    expect(settingOf(name, readConfig({ [name]: "", [inFile]: fileOf(good) }))).toBe(good);
  });

  it("is refused in one line that names it, and says nothing of it, with anything else around or in it", () => {
    const wrongs = [`${good} `, ` ${good}`, `${good}\t`, `\n${good}`, `${good} \n`, `${good}\u00a0`, `\ufeff${good}`];
    if (name !== "DATABASE_URL") wrongs.push(`${good}é`, `${good}\n${good}`, `${good}\0`, `${good}\u007f`);
    for (const wrong of wrongs) {
      for (const env of [{ [name]: wrong }, { [inFile]: fileOf(wrong) }]) {
        let said = "";
        expect(() => readConfig(env), JSON.stringify(wrong)).toThrow(
          expect.objectContaining({ name: "UsageError", message: expect.stringContaining(name) }),
        );
        for (const bad of findBadSettings(env)) said += `${bad.name} ${bad.reason}`;
        expect(said).not.toContain(good);
        expect(said).not.toContain("\n");
      }
    }
  });

  it("stands in one place, and that can be read", () => {
    const file = fileOf(good);
    expect(() => readConfig({ [name]: good, [inFile]: file })).toThrow(`${name} and ${inFile} are both set`);
    expect(() => readConfig({ [inFile]: join(folder, "none") })).toThrow(
      `${inFile} names a file that cannot be read (ENOENT)`,
    );
    expect(() => readConfig({ [inFile]: folder })).toThrow(`${inFile} names a file that cannot be read (EISDIR)`);
    expect(() => readConfig({ [inFile]: fileOf("") })).toThrow(`${inFile} names an empty file`);
    expect(() => readConfig({ [inFile]: fileOf("\n") })).toThrow(inFile);
    expect(() => readConfig({ [inFile]: "/dev/zero" })).toThrow(`${inFile} names a file of more than`);
    expect(() => readConfig({ [inFile]: fileOf(Buffer.from([0xff, 0xfe, 0x41])) })).toThrow(name);
  });
});

it("is refused where it can be guessed", () => {
  expect(() => readConfig({ ADMIN_TOKEN: "123456789012345" })).toThrow("ADMIN_TOKEN has only 15 characters");
  expect(() => readConfig({ ADMIN_TOKEN: "1234567890123456" })).not.toThrow();
  expect(() => readConfig({ JWT_SECRET: "x".repeat(31) })).toThrow("JWT_SECRET has only 31 characters");
  expect(() => readConfig({ QUEUE_AUTH: "jwt", JWT_SECRET: "x" })).toThrow(/^JWT_SECRET has only 1 characters[^;]*$/);
  expect(() => readConfig({ QUEUE_AUTH: "jwt" })).toThrow("QUEUE_AUTH jwt needs JWT_SECRET or JWKS_URL");
});

describe("a service with its secrets in files", () => {
  it("has them in every worker, also from a pipe that can be read once", async () => {
    const pipe = join(folder, "pipe");
    execFileSync("mkfifo", [pipe]);
    const env = { WORKERS: "2", DATABASE_URL_FILE: fileOf(`${db.url}\n`), ADMIN_TOKEN_FILE: pipe };
    const starting = startServer(env);
    writeFileSync(pipe, "the-token-from-the-pipe\n");
    const server = await starting;
    const ask = (token: string) =>
      server.get("/api/admin/me", { Authorization: `Bearer ${token}`, Connection: "close" });
    for (let n = 0; n < 8; n++) expect((await ask("the-token-from-the-pipe")).status).toBe(200);
    expect((await ask("the-token-from-the-pipe-")).status).toBe(401);
    expect(await server.stop()).toBe(0);
  }, 180_000);

  it("does not start with a bad one, and says so in one line with exit code 2", async () => {
    const { code, stdout, stderr } = await keybeat(["serve"], { DATABASE_URL: db.url, ADMIN_TOKEN: "short" });
    expect([code, stdout]).toEqual([2, ""]);
    expect(stderr).toMatch(/^keybeat: ADMIN_TOKEN has only 5 characters[^\n]*\n$/);
  });
});

describe("KEY_PEPPER", () => {
  it("that is not the one of the keys is noticed before a key is unknown, or made in vain", async () => {
    const own = await cloneDatabase();
    const expectIt = (pepper?: string) => expectPepper(own.database, pepper);
    await expectIt("any");
    await expectIt("the-pepper"); // no key was made with the previous one
    await own.makeKey();
    await expectIt("the-pepper");
    for (const other of ["another", "the-pepper ", undefined]) {
      await expect(expectIt(other)).rejects.toThrow("KEY_PEPPER is not the one");
    }
    const [row] = await own.sql`SELECT pepper_mark FROM service_state`;
    expect(row?.pepper_mark).not.toContain("the-pepper");
    await own.sql`UPDATE service_state SET pepper_mark = NULL`; // as before this was looked at
    await expectIt(undefined);
    await expect(expectIt("the-pepper")).rejects.toThrow("were made without one");
    await own.drop();
  });

  it("stops the service and the commands then, in a line", async () => {
    const own = await cloneDatabase();
    await own.makeKey();
    await expectPepper(own.database, "the-pepper");
    for (const args of [["serve"], ["keys", "create"]]) {
      const env = { DATABASE_URL: own.url, KEY_PEPPER: "another", PORT: "0" };
      const { code, stdout, stderr } = await keybeat(args, env);
      expect([code, stdout]).toEqual([1, ""]);
      expect(stderr).toMatch(/^keybeat: KEY_PEPPER is not the one [^\n]*\n$/);
    }
    await own.drop();
  }, 120_000);
});

describe("the token of the first run", () => {
  it("is kept, and none is made in its place where it cannot be read at this moment", async () => {
    const dataDir = mkdtempSync(join(folder, "data-"));
    const file = join(dataDir, "admin-token");
    const config = readConfig({ DATA_DIR: dataDir });
    const chosen = { url: db.url, embedded: true, stop: async () => {} };
    const begin = async () => (await welcome(config, chosen, db.database, db.hashKey)).adminToken;
    const token = await begin();
    expect(readFileSync(file, "utf8")).toBe(`${token}\n`);
    expect(await begin()).toBe(token);
    rmSync(file);
    mkdirSync(file); // any error other than a missing file
    await expect(begin()).rejects.toThrow("cannot be read: EISDIR");
    rmSync(file, { recursive: true });
    writeFileSync(file, "short\n");
    await expect(begin()).rejects.toThrow("has only 5 characters");
    expect(readFileSync(file, "utf8")).toBe("short\n");
  });

  it("comes with a secret of users' tokens, kept there too, unless there is something to check them by", async () => {
    const dataDir = mkdtempSync(join(folder, "data-"));
    const file = join(dataDir, "jwt-secret");
    const chosen = { url: db.url, embedded: true, stop: async () => {} };
    const begin = async (env: Record<string, string> = {}) =>
      (await welcome(readConfig({ DATA_DIR: dataDir, ...env }), chosen, db.database, db.hashKey)).jwtSecret;
    const set: Array<Record<string, string>> = [
      { JWT_SECRET: "s".repeat(32) },
      { JWKS_URL: "https://example.com/keys" },
    ];
    for (const given of set) {
      expect([await begin(given), existsSync(file)]).toEqual([undefined, false]);
    }
    const secret = await begin();
    expect(secret).toMatch(/^[0-9a-f]{64}$/);
    expect([await begin(), readFileSync(file, "utf8"), statSync(file).mode & 0o777]).toEqual([
      secret,
      `${secret}\n`,
      0o600,
    ]);
    writeFileSync(file, "short\n");
    await expect(begin()).rejects.toThrow("has only 5 characters");
  });

  it("is its owner's alone where the file was open, is one for all who start at once, and is written through no link", async () => {
    const dataDir = mkdtempSync(join(folder, "data-"));
    const file = join(dataDir, "admin-token");
    const config = readConfig({ DATA_DIR: dataDir });
    const chosen = { url: db.url, embedded: true, stop: async () => {} };
    const begin = async () => (await welcome(config, chosen, db.database, db.hashKey)).adminToken;
    expect(new Set(await Promise.all([begin(), begin(), begin(), begin()])).size).toBe(1);
    for (const text of ["", `${"t".repeat(16)}\n`]) {
      writeFileSync(file, text);
      chmodSync(file, 0o644);
      expect(await begin()).toBe(readFileSync(file, "utf8").trim());
      expect(statSync(file).mode & 0o777).toBe(0o600);
    }
    for (const victim of ["there", "missing"]) {
      const path = join(dataDir, victim);
      if (victim === "there") writeFileSync(path, `${"v".repeat(16)}\n`);
      rmSync(file);
      symlinkSync(path, file);
      await expect(begin()).rejects.toThrow(`${file} cannot be read: `);
      expect(existsSync(path)).toBe(victim === "there");
    }
  });
});
