/** Records the current version of migrations/functions in versions.txt; with --check only says whether that is due. */
import { writeFileSync } from "node:fs";
import { functionsFolder, readFunctions, readVersions } from "../src/database/functions.ts";

const { hash, noted, version } = readFunctions();
if (!noted && process.argv.includes("--check")) {
  console.error('migrations/functions have changed: run "npm run generate" and commit versions.txt');
  process.exitCode = 1;
} else if (!noted) {
  writeFileSync(`${functionsFolder()}/versions.txt`, `${[...readVersions(), hash].join("\n")}\n`);
  console.log(`migrations/functions: version ${version}`);
}
