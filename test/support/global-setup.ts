/**
 * Once for the whole suite: compiles the program (tests that start processes start what a user starts), and brings up
 * a real PostgreSQL with a migrated template, from which every test file gets a database of its own.
 *
 * TEST_DATABASE_URL: run against that server instead (its user must be allowed to create databases).
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { buildSync } from "esbuild";
import postgres from "postgres";
import type { TestProject } from "vitest/node";
import { openEmbedded } from "../../src/database/embedded/index.ts";
import { migrateDatabase } from "../../src/database/migrate.ts";
import { createLog } from "../../src/log.ts";
import { databaseUrl } from "./database-url.ts";
import { findSecrets } from "./secrets.ts";

declare module "vitest" {
  export interface ProvidedContext {
    serverUrl: string;
    template: string;
    /** Of the stories and mutants of a long test that it should take, from 0 to 1. */
    share: number;
    /** What a server loads first so that its answers are checked, and where it may write them. */
    recorder: { program: string; folder: string };
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  compile();
  const folder = mkdtempSync(join(tmpdir(), "keybeat-test-"));
  project.provide("recorder", buildRecorder(folder));
  const given = process.env.TEST_DATABASE_URL;
  const embedded = given ? undefined : await openEmbedded(join(folder, "data"), "command", createLog("silent"));
  const serverUrl = given ?? (embedded?.superuserUrl as string);
  const admin = postgres(serverUrl, { max: 1, onnotice: () => {} });
  // What is proved here outlives killed processes, not power cuts: no test is to wait for a disk that others keep busy.
  if (embedded) await admin.unsafe("ALTER SYSTEM SET fsync = off").then(() => admin`SELECT pg_reload_conf()`);
  const template = `keybeat_template_${process.pid}`;
  await admin.unsafe(`CREATE DATABASE ${template}`);
  await migrateDatabase(databaseUrl(serverUrl, template));
  const [server] = await admin`SELECT current_setting('server_version') AS version`;
  console.log(`PostgreSQL ${server?.version}${given ? " (TEST_DATABASE_URL)" : " (embedded)"}`);
  project.provide("serverUrl", serverUrl);
  project.provide("template", template);

  return async () => {
    await admin.unsafe(`DROP DATABASE IF EXISTS ${template} WITH (FORCE)`);
    await admin.end();
    await embedded?.stop();
    const leaked = embedded ? findSecrets(readFileSync(join(folder, "data", "postgres.log"), "utf8")) : [];
    rmSync(folder, { recursive: true, force: true });
    if (leaked.length > 0) throw new Error(`secrets in PostgreSQL's log: ${leaked.join("\n")}`);
  };
}

function buildRecorder(folder: string): { program: string; folder: string } {
  const outfile = join(folder, "recorder.mjs");
  const entryPoints = ["test/support/recorder-in-server.ts"];
  buildSync({ entryPoints, outfile, bundle: true, format: "esm", platform: "node", target: "node20" });
  return { program: pathToFileURL(outfile).href, folder };
}

/** Types are for `npm run check` to judge; here a complaint of the compiler is shown, and what it wrote is run. */
function compile(): void {
  for (const args of [["node_modules/typescript/bin/tsc", "-p", "tsconfig.build.json"], ["scripts/build-assets.mjs"]]) {
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
    if (status !== 0) console.error(stdout + stderr);
  }
}
