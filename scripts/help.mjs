// Prints the npm scripts, one line each.
import { readFileSync } from "node:fs";

const { scriptsHelp } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
const short = new Set(["start", "test"]);
for (const [name, what] of Object.entries(scriptsHelp)) {
  console.log(`${`npm ${short.has(name) ? "" : "run "}${name}`.padEnd(18)} ${what}`);
}
