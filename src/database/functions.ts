/**
 * The database's functions, each defined once in migrations/functions. They are re-applied when they have changed: by a
 * program whose files are newer than the database's, never by an older one. versions.txt holds the hash of each
 * version, one a line (`npm run generate` adds it, `npm run check` asks for it).
 */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { packageRoot } from "../version.ts";

export interface FunctionsVersion {
  version: number;
  hash: string;
}

export interface Functions extends FunctionsVersion {
  /** The SQL of each file. */
  files: string[];
  /** Whether versions.txt has them. */
  noted: boolean;
}

export const functionsFolder = () => `${packageRoot()}/migrations/functions`;

/** Those of this release. */
export function readFunctions(folder = functionsFolder()): Functions {
  const names = readdirSync(folder).filter((name) => name.endsWith(".sql"));
  const files = names.sort().map((name) => readFileSync(`${folder}/${name}`, "utf8"));
  const hash = createHash("sha256").update(JSON.stringify(files)).digest("hex");
  const versions = readVersions(folder);
  const noted = versions.at(-1) === hash;
  return { version: noted ? versions.length : versions.length + 1, hash, files, noted };
}

export const readVersions = (folder = functionsFolder()): string[] =>
  readFileSync(`${folder}/versions.txt`, "utf8").split("\n").filter(Boolean);

/** Whether a database with these functions (undefined: with none) should get ours. */
export function areNewer(ours: FunctionsVersion, present: FunctionsVersion | undefined): boolean {
  if (!present || ours.version > present.version) return true;
  return ours.version === present.version && ours.hash !== present.hash; // a program under development
}
