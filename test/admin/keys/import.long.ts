import { request as httpRequest } from "node:http";
import { describe, expect, it } from "vitest";
import { importPreview, importReply } from "../../../src/admin/keys/contract.ts";
import { importKeys } from "../../../src/keys/import.ts";
import { mintKey } from "../../../src/keys/secret.ts";
import { ADMIN_TOKEN, useApp } from "../../support/app.ts";
import { useDatabase } from "../../support/database.ts";
import { newAccessKey } from "../../support/secrets.ts";
import { byToken, exactly, signIn } from "../support/admin.ts";

const db = useDatabase();
const app = useApp(db);

const send = (text: string, { query = "", type = "text/csv" } = {}) =>
  byToken(app).send("POST", `/keys/import${query}`, text, { "Content-Type": type });
const read = async (text: string, query = "") => {
  const { status, body } = await send(text, { query });
  expect(status).toBe(200);
  return exactly(importReply, body);
};
const statusOf = async (access_key: string) => (await app.post("/api/session/start", { access_key })).status;
const find = async (access_key: string) => (await byToken(app).post("/keys/search", { access_key })).body.items[0];
const countKeys = async () => (await db.sql`SELECT count(*)::int AS n FROM keys`)[0]?.n;

describe("POST /api/admin/keys/import", () => {
  it("takes in CSV with a heading, quotes, labels and expiries, and repeating it is harmless", async () => {
    const [plain, quoted, expired] = [newAccessKey(), newAccessKey(), newAccessKey()];
    const text = `\ufeffkey,label,expires\r\n${plain},ACME,2099-01-31\r\n\r\n"${quoted}","Miller, ""Bob"""\r\n${expired},,2020-01-01`;
    expect(await read(text)).toEqual({ imported: 3, skipped_known: 0, invalid: [] });
    expect(await find(plain)).toMatchObject({ label: "ACME", expires_at: "2099-01-31T23:59:59.999Z" });
    expect(await find(quoted)).toMatchObject({ label: 'Miller, "Bob"', expires_at: null });
    expect([await statusOf(plain), await statusOf(quoted), await statusOf(expired)]).toEqual([200, 200, 403]);
    expect(await read(text)).toEqual({ imported: 0, skipped_known: 3, invalid: [] });
    expect(await find(plain)).toMatchObject({ label: "ACME" });
  });

  it("takes in a key a line as plain text, each once", async () => {
    const [one, two] = [newAccessKey(), newAccessKey()];
    const { body } = await send(`${one}\n${two}\n${one}\n`, { type: "text/plain; charset=utf-8" });
    expect(body).toEqual({ imported: 2, skipped_known: 1, invalid: [] });
    expect([await statusOf(one), await statusOf(two)]).toEqual([200, 200]);
  });

  it("takes in nothing where one line is no key, and says which and why without the key", async () => {
    const good = newAccessKey();
    const bad = newAccessKey();
    const lines = [good, `${bad},label,soon`, `"${bad}`, ",label", "k".repeat(513), `${bad}${" ".repeat(5000)}x`];
    const before = await countKeys();
    const report = await read(lines.join("\n"));
    expect([report.imported, report.skipped_known]).toEqual([0, 0]);
    expect(report.invalid.map(({ line, reason }) => [line, reason.split(":")[0]])).toEqual([
      [2, "the expiry is no date"],
      [3, "a quotation mark is not closed"],
      [4, "the key is empty"],
      [5, "the key has over 512 characters"],
      [6, "the line has over 4096 characters"],
    ]);
    expect(JSON.stringify(report)).not.toContain(bad.slice(0, 8));
    expect([await countKeys(), await statusOf(good)]).toEqual([before, 403]);

    const partial = await read(lines.join("\n"), "?partial=true");
    expect(partial).toEqual({ imported: 1, skipped_known: 0, invalid: report.invalid });
    expect(await statusOf(good)).toBe(200);
  });

  it("names the first 1,000 lines that are no key", async () => {
    const { invalid } = await read(",x\n".repeat(1500));
    expect([invalid.length, invalid.at(-1)?.line]).toEqual([1000, 1000]);
  });

  it("reads no further then, as nothing is taken in", async () => {
    let pieces = 0;
    const source = async function* () {
      for (; pieces < 100; pieces++) yield Buffer.from(",x\n".repeat(1000));
    };
    const report = await importKeys(db.database, db.hashKey, source, {
      by: { who: "token", from: null },
      partial: false,
    });
    expect([report.imported, report.invalidCount]).toEqual([0, 1000]);
    expect(pieces).toBeLessThan(5);
  });

  it("ends with its caller, and lets the next one in", async () => {
    const before = await countKeys();
    const text = Array.from({ length: 400_000 }, (_, n) => `left-import-key-${n}`).join("\n");
    const request = httpRequest(`${app.url}/api/admin/keys/import`, {
      method: "POST",
      headers: { Authorization: `Bearer ${ADMIN_TOKEN}`, "Content-Type": "text/csv" },
    });
    request.on("error", () => {});
    await new Promise<void>((resolve) => request.end(text, resolve));
    await expect.poll(async () => (await send(newAccessKey())).status, { timeout: 10_000 }).toBe(503);
    request.destroy();
    await expect.poll(async () => (await send(newAccessKey())).status, { timeout: 30_000 }).toBe(200);
    expect(await countKeys()).toBeLessThan(before + 400_000);
  });

  it("is in the audit log with the numbers, whoever sent it, and without a key", async () => {
    const page = await signIn(app);
    const key = newAccessKey();
    await page.caller.send("POST", "/keys/import", `${key}\n`, { "Content-Type": "text/plain" });
    const [entry] = (await byToken(app).get("/audit?limit=1")).body.items;
    expect(entry).toMatchObject({
      action: "keys_imported",
      who: expect.stringMatching(/^page /),
      key_id: null,
      details: { imported: 1, skipped_known: 0 },
    });
    await page.caller.send("POST", "/keys/import", `${key}\n`, { "Content-Type": "text/plain" });
    expect((await byToken(app).get("/audit?limit=1")).body.items[0].id).toBe(entry.id); // nothing has changed
  });

  it.each([["application/json"], ["application/x-www-form-urlencoded"], ["text/html"], [""]])(
    "refuses the content type «%s»",
    async (type) => {
      const { status, body } = await send("a-key-of-another-type", { type });
      expect([status, body.code]).toEqual([415, "unsupported_media_type"]);
    },
  );

  const sendBytes = (bytes: Buffer, type = "text/csv", query = "") =>
    fetch(`${app.url}/api/admin/keys/import${query}`, {
      method: "POST",
      headers: { Authorization: `Bearer ${ADMIN_TOKEN}`, "Content-Type": type },
      body: bytes,
    });

  it("reads what spreadsheets of each kind write", async () => {
    const keys = Array.from({ length: 4 }, newAccessKey) as [string, string, string, string];
    const TEXTS: Array<[bytes: Buffer, type: string, label: string]> = [
      [Buffer.from(`key;label\r\n${keys[0]};M\xfcller \x80\r\n`, "latin1"), "text/csv", "Müller €"],
      [Buffer.from(`\ufeffLabel\tKey\r\nMüller\t${keys[1]}\r\n`, "utf16le"), "text/csv", "Müller"],
      [Buffer.from(`${keys[2]},\xa3\xf3d\xbc\n`, "latin1"), "text/csv; charset=iso-8859-2", "Łódź"],
      [Buffer.from(`sep=|\n${keys[3]}|"two\nlines"\n`), 'text/plain; charset="UTF-8"', "two\nlines"],
    ];
    for (const [at, [bytes, type, label]] of TEXTS.entries()) {
      const response = await sendBytes(bytes, type);
      expect([response.status, await response.json()]).toEqual([200, { imported: 1, skipped_known: 0, invalid: [] }]);
      expect(await find(keys[at] as string)).toMatchObject({ label });
    }
  });

  it("refuses an encoding that nobody knows, and another ?partial, and takes in nothing", async () => {
    const before = await countKeys();
    expect((await sendBytes(Buffer.from("a-key"), "text/csv; charset=klingon")).status).toBe(415);
    for (const query of ["?partial=maybe", "?dry_run=1"]) expect((await send("a-key", { query })).status).toBe(400);
    expect(await countKeys()).toBe(before);
  });

  it("tells with ?dry_run what would happen, and changes nothing", async () => {
    const [known, one, two] = [newAccessKey(), newAccessKey(), mintKey()];
    await read(known);
    const before = await countKeys();
    const text = `City;Label;Key\nParis;ACME;${one}\nRome;;${known}\n;;${two.toUpperCase()}\n;;${two}\n`;
    const { status, body } = await send(text, { query: "?dry_run=true" });
    expect([status, exactly(importPreview, body)]).toEqual([
      200,
      {
        dry_run: true,
        imported: 2,
        skipped_known: 2,
        invalid: [],
        separator: ";",
        encoding_guessed: false,
        columns: ["label", "key"],
        ignored_columns: ["City"],
      },
    ]);
    const broken = await send(`${text};;${one} ${two}\n`, { query: "?dry_run=true" });
    expect(broken.body).toMatchObject({ dry_run: true, imported: 0, invalid: [{ line: 6 }] });
    expect(await countKeys()).toBe(before);
    expect((await read(text)).imported).toBe(2);
  });

  it("answers others while lines of any length are read", async () => {
    const text = `,${"x".repeat(4_090)}\n`.repeat(2_000) + `"${"y,".repeat(2_000)}\n`.repeat(1_000);
    let [done, asked] = [false, 0];
    const importing = read(text, "?partial=true").finally(() => {
      done = true;
    });
    while (!done) {
      await (await fetch(`${app.url}/health/live`)).text();
      asked++;
    }
    expect((await importing).invalid.length).toBe(1000);
    expect(asked).toBeGreaterThan(10);
  });

  it("refuses over 32 MiB, declared or not, and takes in nothing", async () => {
    const before = await countKeys();
    const piece = Buffer.from("a-key-among-too-many\n".repeat(50_000));
    const headers = { Authorization: `Bearer ${ADMIN_TOKEN}`, "Content-Type": "text/csv" };
    const url = `${app.url}/api/admin/keys/import`;
    const bodies = [Buffer.alloc(32 * 1024 * 1024 + 1, "k"), ReadableStream.from(Array(40).fill(piece))];
    for (const body of bodies) {
      // The answer comes while the body is still being sent; a client may see its connection cut instead.
      const answer = fetch(url, { method: "POST", headers, body, duplex: "half" } as RequestInit);
      const status = await answer.then((response) => response.status).catch(() => 413);
      expect(status).toBe(413);
    }
    expect(await countKeys()).toBe(before);
    expect((await send(newAccessKey())).status).toBe(200); // and the next one has its turn
  });

  it("answers heartbeats while 100,000 keys come in, and lets one import be at a time", async () => {
    const { key } = await db.makeKey();
    const { body } = await app.post("/api/session/start", { access_key: key });
    const text = Array.from({ length: 100_000 }, (_, n) => `bulk-import-key-${n},customer ${n}`).join("\n");
    let done = false;
    const importing = read(text).finally(() => {
      done = true;
    });
    let beats = 0;
    let refused = 0;
    while (!done) {
      const beat = await app.post("/api/session/heartbeat", { session_id: body.session_id });
      expect(beat.status).toBe(200);
      beats++;
      if (beats === 5) refused = (await send("another-import")).status;
    }
    expect(await importing).toEqual({ imported: 100_000, skipped_known: 0, invalid: [] });
    expect(refused).toBe(503);
    expect(beats).toBeGreaterThan(20);
  });
});
