/** Notes the present version of migrations/functions in versions.json; with --check it only says whether that is due. */
import { writeFileSync } from "node:fs";
import { functionsFolder, readFunctions, readVersions } from "../src/database/functions.ts";

const { hash, noted, version } = readFunctions();
if (!noted && process.argv.includes("--check")) {
  console.error('migrations/functions have changed: run "npm run generate" and commit versions.json');
  process.exitCode = 1;
} else if (!noted) {
  writeFileSync(`${functionsFolder()}/versions.json`, `${JSON.stringify([...readVersions(), hash], null, 2)}\n`);
  console.log(`migrations/functions: version ${version}`);
}
