import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { mintKey } from "../../../src/keys/secret.ts";
import { useApp } from "../../support/app.ts";
import { useDatabase } from "../../support/database.ts";
import { keybeat } from "../../support/process.ts";
import { findSecrets, newAccessKey } from "../../support/secrets.ts";

const db = useDatabase();
const app = useApp(db);
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "keybeat-import-"));
});
afterAll(() => rm(folder, { recursive: true }));

const run = (file: string, ...options: string[]) =>
  keybeat(["keys", "import", file, ...options], { DATABASE_URL: db.url });
const statusOf = async (access_key: string) => (await app.post("/api/session/start", { access_key })).status;
const labelOf = async (key: string) =>
  (await db.sql`SELECT label FROM keys WHERE key_hash = ${db.hashKey(key) as Buffer}`)[0]?.label;

let files = 0;
async function fileOf(content: string | Buffer): Promise<string> {
  const file = join(folder, `${files++}.csv`);
  await writeFile(file, content);
  return file;
}

async function importText(content: string, ...options: string[]) {
  const result = await run(await fileOf(content), ...options);
  expect(findSecrets(result.stdout + result.stderr)).toEqual([]);
  return result;
}

describe("keybeat keys import", () => {
  it("takes in a key a line, without blank lines and blanks around a key; each starts a session", async () => {
    const [first, second] = [newAccessKey(), newAccessKey()];
    const { code, stdout } = await importText(`${first}\n\n  ${second}  \n   \n`);
    expect([code, stdout]).toEqual([0, "imported 2, already there 0, rejected 0\n"]);
    for (const key of [first, second]) expect(await statusOf(key)).toBe(200);
  });

  it("takes in CSV with a header, quotes, commas and quotes within quotes, and the expiry", async () => {
    const [plain, quoted, expired] = [newAccessKey(), newAccessKey(), newAccessKey()];
    const { stdout } = await importText(
      `key,label,expires\n${plain},ACME,2099-01-31\n"${quoted}","Miller, ""Bob""",30d\n${expired},,2020-01-01\n`,
    );
    expect(stdout).toBe("imported 3, already there 0, rejected 0\n");
    expect([await labelOf(plain), await labelOf(quoted), await labelOf(expired)]).toEqual([
      "ACME",
      'Miller, "Bob"',
      null,
    ]);
    expect([await statusOf(plain), await statusOf(quoted), await statusOf(expired)]).toEqual([200, 200, 403]);
  });

  it("reads what Excel writes: a byte order mark and CRLF; and a last line without an end", async () => {
    const [first, second] = [newAccessKey(), newAccessKey()];
    expect((await importText(`\uFEFF${first}\r\n${second}`)).stdout).toMatch(/^imported 2,/);
    for (const key of [first, second]) expect(await statusOf(key)).toBe(200);
    const third = newAccessKey();
    expect((await importText(`\uFEFFKey,Label,Expires\r\n${third},ACME,\r\n`)).stdout).toMatch(/^imported 1,/);
    expect(await labelOf(third)).toBe("ACME");
  });

  it("takes a key that stands there twice in once, with its first label, and a second run takes in nothing", async () => {
    const key = newAccessKey();
    const content = `${key},first\n${key},second\n${newAccessKey()}\n`;
    expect((await importText(content)).stdout).toBe("imported 2, already there 1, rejected 0\n");
    expect((await importText(content)).stdout).toBe("imported 0, already there 3, rejected 0\n");
    expect(await labelOf(key)).toBe("first");
  });

  it("rejects lines that are no key with their numbers, takes in the others, and exits with 1", async () => {
    const good = newAccessKey();
    const content = `,only a label\n${newAccessKey()},l,soon\n${newAccessKey().repeat(20)}\n${good}\n`;
    const { code, stdout, stderr } = await importText(content);
    expect(code).toBe(1);
    expect(stdout).toBe("imported 1, already there 0, rejected 3\n");
    const lines = stderr.trimEnd().split("\n");
    expect(lines).toContainEqual(expect.stringMatching(/^line 1: the key is empty/));
    expect(lines).toContainEqual(expect.stringMatching(/^line 2: .*no date/));
    expect(lines).toContainEqual(expect.stringMatching(/^line 3: the key has over 512 characters/));
    expect(lines.at(-1)).toBe("keybeat: 3 line(s) were not taken in");
    expect(await statusOf(good)).toBe(200);
  });

  it("rejects what is no UTF-8 or holds a NUL, and takes in the lines beside it", async () => {
    const good = newAccessKey();
    const content = Buffer.concat([
      Buffer.from(`a\0key\ncl\0${newAccessKey()}\n`),
      Buffer.from("clé-in-latin-1\n", "latin1"),
    ]);
    const { code, stdout, stderr } = await run(await fileOf(Buffer.concat([content, Buffer.from(`${good}\n`)])));
    expect([code, stdout]).toEqual([1, "imported 1, already there 0, rejected 3\n"]);
    for (const line of [1, 2, 3])
      expect(stderr).toMatch(new RegExp(`^line ${line}: the key is not well-formed (text|UTF-8)$`, "m"));
    expect(await statusOf(good)).toBe(200);
  });

  it("prints one JSON object with --json, rejected lines included", async () => {
    const { code, stdout, stderr } = await importText(`${newAccessKey()}\n,x\n`, "--json");
    expect(JSON.parse(stdout)).toEqual({
      imported: 1,
      existing: 0,
      rejected_count: 1,
      rejected: [{ line: 2, reason: "the key is empty" }],
    });
    expect([code, stderr]).toEqual([1, "keybeat: 1 line(s) were not taken in\n"]);
  });

  it("names a file that cannot be read, in one line, and exits with 1", async () => {
    for (const file of [join(folder, "missing.txt"), folder]) {
      const { code, stdout, stderr } = await run(file);
      expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
      expect(stderr).toMatch(/^keybeat: cannot read .*\n$/);
    }
  });

  it("takes a table of any spreadsheet, in the encoding that is named, and shows before what it would do", async () => {
    const key = newAccessKey();
    const file = await fileOf(Buffer.from(`Expires;City;Label;Key\n2099-01-31;x;\xa3\xf3d\xbc;${key}\n`, "latin1"));
    const dry = await run(file, "--dry-run", "--encoding", "iso-8859-2");
    expect([dry.code, dry.stdout]).toEqual([
      0,
      "would import 1, already there 0, rejected 0\n" + "read as expires, label, key, separated by a semicolon\n",
    ]);
    expect(dry.stderr).toBe("not read: City\n");
    expect(await statusOf(key)).toBe(403);
    expect(await run(file, "--encoding", "iso-8859-2")).toMatchObject({
      stdout: "imported 1, already there 0, rejected 0\n",
      stderr: "not read: City\n",
    });
    expect([await statusOf(key), await labelOf(key)]).toEqual([200, "Łódź"]);
    const json = await run(file, "--dry-run", "--json");
    expect(JSON.parse(json.stdout)).toEqual({
      dry_run: true,
      imported: 0,
      existing: 1,
      rejected_count: 0,
      rejected: [],
      separator: ";",
      columns: ["expires", "label", "key"],
      ignored_columns: ["City"],
      encoding_guessed: true,
    });
    expect((await run(file, "--encoding", "klingon")).code).toBe(2);
  });

  it("never takes a whole line for a key, nor a key for a label", async () => {
    const [one, two] = [newAccessKey(), newAccessKey()];
    const content = `${one}\n${two};ACME\nACME,${mintKey()}\n${newAccessKey()} ${newAccessKey()}\nx|y\n`;
    const { code, stdout, stderr } = await importText(content);
    expect([code, stdout]).toEqual([1, "imported 1, already there 0, rejected 4\n"]);
    expect(stderr.match(/^line \d+/gm)).toEqual(["line 2", "line 3", "line 4", "line 5"]);
    expect([await statusOf(one), await statusOf(two)]).toEqual([200, 403]);
  });

  it("takes an empty file for no keys", async () => {
    expect((await importText("")).stdout).toBe("imported 0, already there 0, rejected 0\n");
  });

  it("takes in 100,000 keys, tells how far it is, and repeats harmlessly after half of them", async () => {
    const keys = Array.from({ length: 100_000 }, newAccessKey);
    await importText(`${keys.slice(0, 50_000).join("\n")}\n`);
    const startedAt = performance.now();
    const { code, stdout, stderr } = await importText(`${keys.join("\n")}\n`);
    const repeatSeconds = (performance.now() - startedAt) / 1000;
    expect([code, stdout]).toEqual([0, "imported 50000, already there 50000, rejected 0\n"]);
    expect(stderr).toMatch(/^\d+ lines\n/);

    const fresh = Array.from({ length: 100_000 }, newAccessKey);
    const file = await fileOf(`${fresh.join("\n")}\n`);
    const freshAt = performance.now();
    expect((await run(file)).stdout).toBe("imported 100000, already there 0, rejected 0\n");
    const seconds = (performance.now() - freshAt) / 1000;
    console.log(
      `keys import: 100,000 new keys in ${seconds.toFixed(1)} s (${Math.round(100_000 / seconds)} a second); ` +
        `100,000 of which half were there in ${repeatSeconds.toFixed(1)} s`,
    );
    for (const key of [keys[0], keys[99_999], fresh[50_000]]) expect(await statusOf(key as string)).toBe(200);
  });
});
