/** The names of all variables that the program reads: the shared ones as config.ts declares them, and those of the kinds. */
import { readFileSync } from "node:fs";
import { KINDS } from "../../src/sessions/kinds.ts";

export function settingNames(): string[] {
  const shared = [...readFileSync("src/config.ts", "utf8").matchAll(/^ {2}([A-Z_]+): /gm)].map(([, name]) => name);
  return [...(shared as string[]), ...KINDS.flatMap(({ settings }) => Object.keys(settings.shape))];
}
