/** `keybeat doctor` on the host: settings, secrets, the port, the data folder, Node.js. */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { Finding } from "../../../src/cli/doctor/finding.ts";
import { checkNode } from "../../../src/cli/doctor/host.ts";
import { createSeed, readSigningKeys, type SigningKey } from "../../../src/trust/signing-keys.ts";
import { keybeat } from "../../support/process.ts";
import { of, useDoctor } from "./support/doctor.ts";

const { db, undo, doctor, listen } = useDoctor();

describe("keybeat doctor on the host", () => {
  it("names every variable that makes no sense, not only the first", async () => {
    const findings = await doctor({ WORKERS: "many", HISTORY_RETENTION_DAYS: "0", CLEANUP_CRON: "often" });
    const names = of(findings, "settings").map(({ state, message }) => `${state} ${message.split(" ")[0]}`);
    expect(names.sort()).toEqual(["fail CLEANUP_CRON", "fail HISTORY_RETENTION_DAYS", "fail WORKERS"]);
    expect(of(findings, "database")[0]?.state).toBe("ok");
  });

  it("does not look into the embedded database where DATABASE_URL is a slip", async () => {
    expect(of(await doctor({ DATABASE_URL: "postgres//x" }), "database")[0]).toMatchObject({ state: "fail" });
  });

  it("names secrets that can be guessed or cannot be read, without showing them, and looks at the rest", async () => {
    const env = { ADMIN_TOKEN: "letmein", QUEUE_AUTH: "jwt", JWT_SECRET: "letmein", KEY_PEPPER_FILE: "/nowhere" };
    const findings = await doctor(env);
    const told = of(findings, "settings").map(({ state, message }) => `${state} ${message.slice(0, 40)}`);
    expect(told.sort()).toEqual([
      "fail ADMIN_TOKEN has only 7 characters, so it",
      "fail JWT_SECRET has only 7 characters, so it ",
      "fail KEY_PEPPER_FILE names a file that cannot",
    ]);
    expect(JSON.stringify(findings)).not.toContain("letmein");
    expect(of(findings, "database")[0]?.state).toBe("ok");
  });

  it("warns of leases that nothing can sign, and of a signing key that every user can read, which it never shows", async () => {
    const signatures = async (env: Record<string, string>) =>
      of(await doctor(env), "signatures").map(({ state, message }) => `${state} ${message}`);
    expect(await signatures({})).toEqual([]);
    expect(await signatures({ OFFLINE_HOURS_MAX: "24" })).toEqual([
      "warn OFFLINE_HOURS_MAX is set without SIGNING_KEY, so no leases are given: they are signed",
    ]);
    const folder = mkdtempSync(join(tmpdir(), "keybeat-doctor-"));
    undo.push(() => rmSync(folder, { recursive: true }));
    const file = join(folder, "signing-key");
    const seed = createSeed();
    writeFileSync(file, seed, { mode: 0o600 });
    const [{ id }] = readSigningKeys(seed) as [SigningKey];
    const env = { OFFLINE_HOURS_MAX: "24", SIGNING_KEY_FILE: file };
    expect(await signatures(env)).toEqual([expect.stringMatching(`^ok answers are signed by ${id}, `)]);
    chmodSync(file, 0o644);
    const open = await signatures(env);
    expect(open).toEqual([`warn every user of this host can read ${file}, and sign answers that your clients believe`]);
    expect(JSON.stringify(open)).not.toContain(seed);
  });

  it("says where each secret comes from", async () => {
    const folder = mkdtempSync(join(tmpdir(), "keybeat-doctor-"));
    undo.push(() => rmSync(folder, { recursive: true }));
    const file = join(folder, "pepper");
    writeFileSync(file, "the-pepper\n");
    const said = async (env: Record<string, string>) => {
      const { stdout } = await keybeat(["doctor", "--json"], { PORT: "0", ...env });
      const findings = stdout.trim().split("\n");
      return of(
        findings.map((line) => JSON.parse(line) as Finding),
        "secrets",
      ).map(({ message }) => message);
    };
    expect(await said({ DATABASE_URL: db.url, ADMIN_TOKEN: "given-by-the-operator", KEY_PEPPER_FILE: file })).toEqual([
      "DATABASE_URL is from its variable",
      "ADMIN_TOKEN is from its variable",
      `KEY_PEPPER is from ${file}`,
    ]);
    expect(await said({ DATA_DIR: folder })).toEqual(["ADMIN_TOKEN will be made on the first run"]);
    writeFileSync(join(folder, "admin-token"), "x", { mode: 0o600 });
    expect(await said({ DATA_DIR: folder })).toEqual([
      `ADMIN_TOKEN was made on the first run, in ${join(folder, "admin-token")}`,
    ]);
  });

  it("warns of a provider's keys whose tokens may be meant for any other application", async () => {
    const env = { QUEUE_AUTH: "jwt", JWKS_URL: "https://id.example/keys" };
    const warned = of(await doctor(env), "settings").filter(({ state }) => state === "warn");
    expect(warned).toMatchObject([{ message: expect.stringContaining("JWT_AUDIENCE") }]);
    expect(of(await doctor({ ...env, JWT_AUDIENCE: "keybeat" }), "settings").map(({ state }) => state)).toEqual(["ok"]);
  });

  it("warns of a token that nobody has to send", async () => {
    const env = { BATCH_TOKEN: "a token of thirty-two characters" };
    const warned = of(await doctor(env), "settings").filter(({ state }) => state === "warn");
    expect(warned).toMatchObject([
      { message: expect.stringContaining("BATCH_TOKEN"), mend: expect.stringContaining("BATCH_AUTH=token") },
    ]);
    expect(of(await doctor({ ...env, BATCH_AUTH: "token" }), "settings").map(({ state }) => state)).toEqual(["ok"]);
  });

  it("finds the port taken by another program", async () => {
    const port = await listen(createServer((socket) => socket.destroy()));
    const [finding] = of(await doctor({ PORT: String(port), HOST: "127.0.0.1" }), "port");
    expect(finding).toMatchObject({ state: "fail", message: expect.stringContaining("taken by another program") });
  });

  it("finds an address that this machine does not have", async () => {
    const [finding] = of(await doctor({ PORT: "3000", HOST: "203.0.113.1" }), "port");
    expect(finding).toMatchObject({ state: "fail", mend: expect.stringContaining("correct HOST") });
  });

  it("finds a data folder that is none", async () => {
    const { code, stdout } = await keybeat(["doctor"], { DATA_DIR: "package.json", PORT: "0" });
    expect(code).toBe(1);
    expect(stdout).toMatch(/FAIL data folder .* is a file; set DATA_DIR to a folder/);
  });

  it("finds files of the data folder that everybody can read", async () => {
    const folder = mkdtempSync(join(tmpdir(), "keybeat-doctor-"));
    undo.push(() => rmSync(folder, { recursive: true }));
    writeFileSync(join(folder, "admin-token"), "secret", { mode: 0o644 });
    const { code, stdout } = await keybeat(["doctor"], { DATA_DIR: folder, PORT: "0" });
    expect(code).toBe(1);
    expect(stdout).toMatch(/FAIL data folder .*admin-token; chmod 600 /);
  });

  it.each([
    ["18.20.0", "fail"],
    ["20.18.9", "fail"],
    ["20.19.0", "ok"],
    ["24.0.0", "ok"],
  ])("takes Node.js %s for %s", (version, state) => expect(checkNode(version).state).toBe(state));
});
