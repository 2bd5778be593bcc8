/** TLS to a real PostgreSQL, with test certificates: what each sslmode admits, and what it must refuse. */
import { appendFileSync, chownSync, copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import postgres from "postgres";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Cluster, connectTo, prepareCluster } from "../../src/database/embedded/cluster.ts";
import { startServer, stopServer } from "../../src/database/embedded/server.ts";
import { openLane } from "../../src/database/lane.ts";
import { openListener } from "../../src/database/listener.ts";
import { migrateDatabase } from "../../src/database/migrate.ts";
import { createLog } from "../../src/log.ts";
import { type Authority, createAuthority } from "../support/certificates.ts";
import { keybeat, startServer as serve } from "../support/process.ts";

let folder: string;
let cluster: Cluster;
let port: number;
let ours: Authority;
let strangers: Authority;

type Shown = { authority?: "ours" | "strangers"; names: string[]; expired?: boolean };

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "keybeat-tls-"));
  ours = await createAuthority(folder, "ours");
  strangers = await createAuthority(folder, "strangers");
  cluster = await prepareCluster(folder);
  await show({ names: ["localhost"] });
  const file = (name: string) => join(cluster.dir, name);
  writeFileSync(file("ca.pem"), readFileSync(ours.file));
  own(file("ca.pem"));
  appendFileSync(
    file("postgresql.conf"),
    "\nssl = on\nssl_cert_file = 'shown.crt'\nssl_key_file = 'shown.key'\nssl_ca_file = 'ca.pem'\n",
  );
  const rules = readFileSync(file("pg_hba.conf"), "utf8");
  writeFileSync(file("pg_hba.conf"), `hostssl all holder 127.0.0.1/32 cert\n${rules}`);
  port = await startServer(cluster);
  const sql = connectTo(cluster, port, "test");
  await sql`CREATE ROLE holder LOGIN SUPERUSER`;
  await sql.end();
});

afterAll(async () => {
  await stopServer(cluster);
  rmSync(folder, { recursive: true, force: true });
});

function own(file: string): void {
  if (cluster.runAs.owner) chownSync(file, cluster.runAs.owner.uid, cluster.runAs.owner.gid);
}

/** Writes what the server is to show; it is shown after a reload. Returns the certificate's file. */
async function show({ authority = "ours", names, expired }: Shown): Promise<string> {
  const issuer = authority === "ours" ? ours : strangers;
  const { cert, key } = await issuer.issue(`server-${names.join("-")}-${expired ?? false}`, {
    names,
    ...(expired && { expired }),
  });
  for (const [from, to] of [
    [cert, "shown.crt"],
    [key, "shown.key"],
  ] as const) {
    copyFileSync(from, join(cluster.dir, to));
    own(join(cluster.dir, to));
  }
  return cert;
}

async function reload(shown: Shown): Promise<string> {
  const cert = await show(shown);
  const sql = connectTo(cluster, port, "test");
  const [before] = await sql`SELECT pg_conf_load_time()::text AS at`;
  await sql`SELECT pg_reload_conf()`;
  for (let at = before?.at; at === before?.at; await sleep(20))
    [{ at }] = await sql`SELECT pg_conf_load_time()::text AS at`;
  await sql.end();
  return cert;
}

const url = (host: string, query: string, user = `keybeat:${cluster.password}`) =>
  `postgres://${user}@${host}:${port}/postgres?${query}`;

/** "encrypted" or "plain" if it connects, else the reason. */
async function enter(to: string): Promise<string> {
  const lane = openLane(to, { name: "test", connectionsMax: 1, waitingMax: 1, deadlineMs: 5000 });
  try {
    const [row] = await lane.query((sql) => sql`SELECT ssl, client_dn FROM pg_stat_ssl WHERE pid = pg_backend_pid()`);
    return row?.client_dn ?? (row?.ssl ? "encrypted" : "plain");
  } catch (error) {
    const { cause = error } = error as { cause?: unknown };
    return String((cause as { code?: string }).code ?? cause);
  } finally {
    await lane.close();
  }
}

const ENTERS = /^encrypted$/;
const WRONG_NAME = /^ERR_TLS_CERT_ALTNAME_INVALID$/;
const UNTRUSTED = /^(UNABLE_TO_VERIFY_LEAF_SIGNATURE|UNABLE_TO_GET_ISSUER_CERT_LOCALLY|SELF_SIGNED_CERT_IN_CHAIN)$/;

describe.each([
  [
    "the server's own name",
    { names: ["localhost"] },
    {
      require: { localhost: ENTERS, "127.0.0.1": ENTERS },
      "verify-ca": { localhost: ENTERS, "127.0.0.1": ENTERS },
      "verify-full": { localhost: ENTERS, "127.0.0.1": WRONG_NAME },
    },
  ],
  [
    "the server's own address",
    { names: ["127.0.0.1"] },
    {
      "verify-ca": { localhost: ENTERS },
      "verify-full": { localhost: WRONG_NAME, "127.0.0.1": ENTERS },
    },
  ],
  [
    "another name",
    { names: ["db.example"] },
    {
      require: { localhost: ENTERS },
      "verify-ca": { localhost: ENTERS, "127.0.0.1": ENTERS },
      "verify-full": { localhost: WRONG_NAME, "127.0.0.1": WRONG_NAME },
    },
  ],
  [
    "the right name, expired",
    { names: ["localhost", "127.0.0.1"], expired: true },
    {
      "verify-ca": { localhost: /^CERT_HAS_EXPIRED$/ },
      "verify-full": { localhost: /^CERT_HAS_EXPIRED$/, "127.0.0.1": /^CERT_HAS_EXPIRED$/ },
    },
  ],
  [
    "the right name, of an unknown CA",
    { names: ["localhost", "127.0.0.1"], authority: "strangers" },
    {
      // As in libpq, naming the CA implies verifying against it.
      require: { localhost: UNTRUSTED },
      "verify-ca": { localhost: UNTRUSTED },
      "verify-full": { localhost: UNTRUSTED, "127.0.0.1": UNTRUSTED },
    },
  ],
] as Array<[string, Shown, Record<string, Record<string, RegExp>>]>)(
  "a certificate with %s",
  (_what, shown, expected) => {
    it("lets in by each sslmode whom it should", async () => {
      await reload(shown);
      for (const [mode, hosts] of Object.entries(expected)) {
        for (const [host, outcome] of Object.entries(hosts)) {
          expect(`${mode} ${host} ${await enter(url(host, `sslmode=${mode}&sslrootcert=${ours.file}`))}`).toMatch(
            new RegExp(`^${mode} ${host} ${outcome.source.slice(1)}`),
          );
        }
      }
      // Nobody is asked.
      expect(await enter(url("127.0.0.1", "sslmode=require"))).toBe("encrypted");
      expect(await enter(url("127.0.0.1", "sslmode=prefer"))).toBe("encrypted");
      expect(await enter(url("127.0.0.1", "sslmode=disable"))).toBe("plain");
    });
  },
);

describe("TLS", () => {
  it("by a name that leads elsewhere is checked against that name", async () => {
    await reload({ names: ["db.example"] });
    const query = `sslmode=verify-full&sslrootcert=${ours.file}&hostaddr=127.0.0.1`;
    expect(await enter(url("db.example", query))).toBe("encrypted");
    expect(await enter(url("other.example", query))).toBe("ERR_TLS_CERT_ALTNAME_INVALID");
  });

  it("checks each of several hosts against its own name", async () => {
    await reload({ names: ["127.0.0.1"] });
    const query = `sslmode=verify-full&sslrootcert=${ours.file}`;
    expect(await enter(url(`localhost:${port},127.0.0.1`, query))).toBe("encrypted");
    expect(await enter(url(`localhost:${port},localhost`, query))).not.toBe("encrypted");
  });

  it("refuses a revoked certificate, a version that is too old, and what is no PostgreSQL of the kind", async () => {
    const cert = await reload({ names: ["localhost"] });
    const query = `sslmode=verify-full&sslrootcert=${ours.file}`;
    expect(await enter(url("localhost", `${query}&sslcrl=${await ours.revoke("none", [])}`))).toBe("encrypted");
    expect(await enter(url("localhost", `${query}&sslcrl=${await ours.revoke("one", [cert])}`))).toBe("CERT_REVOKED");
    expect(await enter(url("localhost", `${query}&ssl_min_protocol_version=TLSv1.3`))).toBe("encrypted");
    expect(await enter(url("localhost", `${query}&ssl_max_protocol_version=TLSv1`))).toMatch(/SSL|EPROTO|ECONNRESET/);
  });

  it("without a question first, as PostgreSQL 17 and later takes it", async () => {
    await reload({ names: ["localhost"] });
    const query = `sslmode=verify-full&sslrootcert=${ours.file}&sslnegotiation=direct`;
    expect(await enter(url("localhost", query))).toBe("encrypted");
    expect(await enter(url("127.0.0.1", query))).toBe("ERR_TLS_CERT_ALTNAME_INVALID");
  });

  it("shows our own certificate, and the next connection the one that has been put in its place", async () => {
    await reload({ names: ["localhost"] });
    const { cert, key } = await ours.issue("holder", {});
    const to = url("localhost", `sslmode=verify-full&sslrootcert=${ours.file}&sslcert=${cert}&sslkey=${key}`, "holder");
    expect(await enter(to)).toBe("/CN=holder");
    expect(await enter(url("localhost", "sslmode=require", "holder"))).toBe("28000");

    const lane = openLane(to, { name: "test", connectionsMax: 1, waitingMax: 1, deadlineMs: 5000 });
    const look = () =>
      lane.query((sql) => sql`SELECT client_serial::text AS n FROM pg_stat_ssl WHERE pid = pg_backend_pid()`);
    const [first] = await look();
    await ours.issue("holder", {}); // into the same files
    await lane.query((sql) => sql`SELECT pg_terminate_backend(pg_backend_pid())`).catch(() => {});
    let second = first;
    for (let tries = 0; tries < 100 && second?.n === first?.n; tries++) [second] = await look().catch(() => [first]);
    expect(second?.n).not.toBe(first?.n);
    // In the middle of being written they are of no use, and what there was is used on.
    writeFileSync(cert, "-----BEGIN CERTIFICATE-----\nMIIB");
    await lane.query((sql) => sql`SELECT pg_terminate_backend(pg_backend_pid())`).catch(() => {});
    let third: typeof first;
    for (let tries = 0; tries < 100 && !third; tries++) [third] = await look().catch(() => []);
    expect(third?.n).toBe(second?.n);
    await lane.close();
  });

  it("that cannot be checked is refused by everything that connects; that can be serves", async () => {
    await reload({ names: ["localhost"] });
    const query = `sslmode=verify-full&sslrootcert=${ours.file}`;
    const wrong = url("127.0.0.1", query);
    await expect(migrateDatabase(wrong)).rejects.toThrow(/cannot be reached: .*127\.0\.0\.1/);
    const doctor = await keybeat(["doctor", "--json"], { DATABASE_URL: wrong, PORT: "0" });
    expect(doctor.stdout).toContain("ERR_TLS_CERT_ALTNAME_INVALID");
    expect(await hears(wrong)).toBe(false);
    const refused = await keybeat(["serve"], { DATABASE_URL: wrong, PORT: "0" });
    expect([refused.code, refused.stdout]).toEqual([1, ""]);

    const right = url("localhost", query);
    expect(await hears(right)).toBe(true);
    const server = await serve({ DATABASE_URL: right, WORKERS: "2" });
    const sql = postgres(url("127.0.0.1", ""), { max: 1, ssl: false });
    const rows = await sql`
      SELECT a.application_name AS name, s.ssl FROM pg_stat_activity a JOIN pg_stat_ssl s USING (pid)
      WHERE a.application_name LIKE 'keybeat%'`;
    await sql.end();
    expect(rows.some(({ name }) => name === "keybeat listen")).toBe(true);
    expect(rows.filter(({ ssl }) => !ssl)).toEqual([]);
    expect(await server.stop()).toBe(0);
  }, 180_000);

  it.each(["/no/such/ca", "package.json"])(
    "with %s as its CA is refused in one line that names the file",
    async (file) => {
      const result = await keybeat(["serve"], {
        DATABASE_URL: url("localhost", `sslmode=verify-ca&sslrootcert=${file}`),
      });
      expect(result).toMatchObject({ code: 1, stdout: "" });
      expect(result.stderr).toMatch(/^keybeat: TLS as DATABASE_URL asks for it cannot be had [^\n]+\n$/);
      expect(result.stderr).toContain(file);
    },
  );
});

/** Whether the listener proves itself within two seconds. */
async function hears(to: string): Promise<boolean> {
  const listener = openListener(to, createLog("silent"));
  for (let tries = 0; tries < 100 && !listener.proven(); tries++) await sleep(20);
  const proven = listener.proven();
  await listener.close();
  return proven;
}
