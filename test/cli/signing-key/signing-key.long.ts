/** keybeat signing-key: what it prints is what the service signs with, and what its clients check with. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { useDatabase } from "../../support/database.ts";
import { keybeat, startServer } from "../../support/process.ts";
import { newSessionId } from "../../support/secrets.ts";
import { isGenuine } from "../../support/verify-answer.ts";

const db = useDatabase();

const create = async () => {
  const { code, stdout, stderr } = await keybeat(["signing-key", "create", "--json"]);
  expect([code, stderr]).toEqual([0, ""]);
  return JSON.parse(stdout) as { signing_key: string; public_key: string; key_id: string };
};

it("makes keys that the service signs with in every worker, from a file too, and whose public half checks it", async () => {
  const [newer, older] = [await create(), await create()];
  const folder = mkdtempSync(join(tmpdir(), "keybeat-signing-key-"));
  const file = join(folder, "keys");
  writeFileSync(file, `${newer.signing_key}\n${older.signing_key}\n`, { mode: 0o600 });
  const server = await startServer({ DATABASE_URL: db.url, HOST: "127.0.0.1", WORKERS: "2", SIGNING_KEY_FILE: file });
  const body = JSON.stringify({ session_id: newSessionId() });
  const route = "/api/session/heartbeat";
  for (const key of [newer, older, newer, older]) {
    const nonce = newSessionId();
    const headers = {
      "Content-Type": "application/json",
      Connection: "close",
      "Keybeat-Nonce": nonce,
      "Keybeat-Trusts": key.key_id,
    };
    const response = await fetch(server.url + route, { method: "POST", body, headers });
    const signature = response.headers.get("keybeat-signature");
    const seen = { method: "POST", route, nonce, request: body, status: 404, body: await response.text(), signature };
    expect(isGenuine([key.public_key], seen)).toBe(true);
  }
  expect(await server.stop()).toBe(0);
  for (const { signing_key } of [newer, older]) expect(server.output()).not.toContain(signing_key);

  const shown = await keybeat(["signing-key", "show", "--json"], { SIGNING_KEY_FILE: file });
  expect(JSON.parse(shown.stdout)).toEqual([newer, older].map(({ signing_key: _, ...open }) => open));
  const doctor = await keybeat(["doctor"], { DATABASE_URL: db.url, PORT: "0", SIGNING_KEY_FILE: file });
  expect(doctor.stdout).toMatch(
    new RegExp(`^OK +signatures +answers are signed by ${newer.key_id}, ${older.key_id}`, "m"),
  );
  rmSync(folder, { recursive: true });
}, 60_000);

it("says for people what goes where, and shows no secret afterwards", async () => {
  const made = await keybeat(["signing-key", "create"]);
  const [, secret, publicKey, keyId] = /^secret: {5}(\S{43})\npublic key: (\S{43})\nkey id: {5}([0-9a-f]{16})\n\n/.exec(
    made.stdout,
  ) as unknown as string[];
  expect(made.stdout).toContain("into SIGNING_KEY");
  const shown = await keybeat(["signing-key", "show"], { SIGNING_KEY: secret as string });
  expect([shown.code, shown.stderr]).toEqual([0, ""]);
  expect(shown.stdout).toMatch(new RegExp(`^KEY ID +PUBLIC KEY\n${keyId} +${publicKey}\n$`));
  expect(shown.stdout).not.toContain(secret);
});

it("is refused in a line where there is no key, or none that makes sense, without showing it", async () => {
  const none = await keybeat(["signing-key", "show"]);
  expect([none.code, none.stdout]).toEqual([1, ""]);
  expect(none.stderr).toBe("keybeat: no SIGNING_KEY is set; keybeat signing-key create makes one\n");
  for (const args of [["signing-key", "show"], ["serve"]]) {
    const wrong = await keybeat(args, { SIGNING_KEY: "a-secret-that-is-no-key", DATABASE_URL: db.url });
    expect([wrong.code, wrong.stdout]).toEqual([2, ""]);
    expect(wrong.stderr).toMatch(/^keybeat: SIGNING_KEY must be keys of 32 bytes in base64url [^\n]*\n$/);
    expect(wrong.stderr).not.toContain("a-secret-that-is-no-key");
  }
});
