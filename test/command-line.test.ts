/** A command that is printed to be pasted works where it is printed. */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { commandLine } from "../src/command-line.ts";

const folder = mkdtempSync(join(tmpdir(), "keybeat-command-line-"));
const installed = join(folder, "node_modules/keybeat");
mkdirSync(join(installed, "dist/src/cli"), { recursive: true });
afterAll(() => rmSync(folder, { recursive: true }));

it("is the script in a checkout, from source and as compiled", () => {
  for (const program of ["src/cli/keybeat.ts", "dist/src/cli/keybeat.js"]) {
    expect(commandLine(join(process.cwd(), program))).toBe("npm run keybeat --");
  }
});

it.each([
  ["npx keybeat", "/home/me/app/node_modules/.bin/keybeat"],
  ["npx keybeat", "C:\\npm-cache\\_npx\\0a1b\\node_modules\\keybeat\\dist\\src\\cli\\keybeat.js"],
  ["keybeat", "/usr/local/bin/keybeat"],
  ["keybeat", "/app/bin/keybeat"],
])("is «%s» of an installation that runs as %s", (line, program) => {
  expect(commandLine(program, installed)).toBe(line);
});
