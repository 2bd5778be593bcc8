/**
 * Writes the OpenAPI documents from the zod schemas and the descriptions beside them.
 *
 *   npm run openapi            write them
 *   npm run check:openapi      fail if they differ from what is committed, or if the linter finds anything
 */
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { describeApi } from "../src/openapi.ts";
import { readVersion } from "../src/version.ts";

const FILES = { "3.1": "src/http/openapi/openapi.json", "3.0": "src/http/openapi/openapi-3.0.json" } as const;

const check = process.argv.includes("--check");
for (const version of ["3.1", "3.0"] as const) {
  const text = `${JSON.stringify(describeApi(version, readVersion()), null, 2)}\n`;
  if (!check) writeFileSync(FILES[version], text);
  else if (readFileSync(FILES[version], "utf8") !== text) fail(`${FILES[version]} is out of date: npm run openapi`);
}
if (check) lint();

function lint(): void {
  const args = ["node_modules/@redocly/cli/bin/cli.js", "lint", "--config", ".redocly.yaml", ...Object.values(FILES)];
  const env = { ...process.env, REDOCLY_TELEMETRY: "off", REDOCLY_SUPPRESS_UPDATE_NOTICE: "true" };
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: "utf8", env });
  if (status !== 0 || /\b\d+ (warning|error)s?\b/.test(stdout + stderr)) fail(stdout + stderr);
}

function fail(reason: string): never {
  console.error(reason);
  process.exit(1);
}
