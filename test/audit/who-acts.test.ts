/** The audit log names the operator that the verb was given, and never asks the host. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { readConfig } from "../../src/config.ts";
import { welcome } from "../../src/first-run.ts";
import { addKey, changeKey, createKey, eraseKey, importKeys, restoreKey, revokeKey } from "../../src/keys/index.ts";
import { kickSession, startSession } from "../../src/sessions/device/index.ts";
import { deviceSessions } from "../sessions/device/support/subject.ts";
import { useDatabase } from "../support/database.ts";
import { newAccessKey } from "../support/secrets.ts";

const db = useDatabase();
const dataDir = mkdtempSync(join(tmpdir(), "keybeat-first-run-"));
afterAll(() => rmSync(dataDir, { recursive: true }));

const readLog = () => db.sql`SELECT who, from_address, action FROM audit_log ORDER BY id`;

describe("the audit log", () => {
  it("says of the demo key that the first run made it, whoever runs the service", async () => {
    const chosen = { url: db.url, embedded: true, stop: async () => {} };
    const { lines } = await welcome({ ...readConfig(), dataDir }, chosen, db.database, db.hashKey);
    expect(lines("http://127.0.0.1:3000").join("\n")).toMatch(/demo key +\S{32} /);
    expect(await readLog()).toEqual([{ who: "first run", from_address: null, action: "key_created" }]);
  });

  it("names who was given to each verb, and nobody else", async () => {
    const by = (who: string) => ({ who, from: "192.0.2.7" });
    const { database, hashKey } = db;
    const before = (await readLog()).length;

    const { id, access_key } = await createKey(database, hashKey, { label: "one" }, by("a library"));
    const other = { key: newAccessKey(), label: null, expiresAt: null };
    await addKey(database, hashKey, other, by("an adder"));
    const source = async function* () {
      yield Buffer.from(`${newAccessKey()}\n`);
    };
    await importKeys(database, hashKey, source, { partial: true, by: by("an importer") });
    await changeKey(database, { id, label: "two", expiresAt: undefined }, by("a changer"));
    await startSession(deviceSessions(db), { access_key, on_conflict: "replace" });
    await kickSession(database, { keyId: id, generation: null, note: null }, by("a kicker"));
    await revokeKey(database, { id, note: null }, by("a revoker"));
    await restoreKey(database, id, by("a restorer"));
    await eraseKey(database, id, by("an eraser"));

    expect((await readLog()).slice(before)).toEqual(
      [
        ["a library", "key_created"],
        ["an adder", "key_created"],
        ["an importer", "keys_imported"],
        ["a changer", "key_changed"],
        ["a kicker", "session_kicked"],
        ["a revoker", "key_revoked"],
        ["a restorer", "key_restored"],
        ["an eraser", "key_erased"],
      ].map(([who, action]) => ({ who, from_address: "192.0.2.7", action })),
    );
  });
});
