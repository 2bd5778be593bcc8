import { existsSync } from "node:fs";
import { packageRoot } from "./version.ts";

/**
 * How a person calls the command `keybeat` where this process runs, to be printed before its arguments: by the script in a
 * checkout, by npx where npx runs an installation that is on nobody's path, else by its name.
 */
export function commandLine(program = process.argv[1] ?? "", root = packageRoot()): string {
  if (existsSync(`${root}/src/cli/keybeat.ts`)) return "npm run keybeat --"; // the package has no sources
  return /[\\/](\.bin|_npx)[\\/]/.test(program) ? "npx keybeat" : "keybeat";
}
