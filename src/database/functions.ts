/**
 * The functions of the database, each once, in migrations/functions. They are applied anew when they have changed: by a
 * program whose files are newer than the database's, never by an older one. versions.json has the hash of each version of
 * the files, in their order (`npm run generate` notes it, `npm run check` asks for it).
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
  /** Whether versions.json knows them. */
  noted: boolean;
}

export const functionsFolder = () => `${packageRoot()}/migrations/functions`;

/** Of this release. */
export function readFunctions(folder = functionsFolder()): Functions {
  const names = readdirSync(folder).filter((name) => name.endsWith(".sql"));
  const files = names.sort().map((name) => readFileSync(`${folder}/${name}`, "utf8"));
  const hash = createHash("sha256").update(JSON.stringify(files)).digest("hex");
  const versions = readVersions(folder);
  const noted = versions.at(-1) === hash;
  return { version: noted ? versions.length : versions.length + 1, hash, files, noted };
}

export const readVersions = (folder = functionsFolder()): string[] =>
  JSON.parse(readFileSync(`${folder}/versions.json`, "utf8"));

/** Whether a database with these (undefined: with none) is to be given ours. */
export function areNewer(ours: FunctionsVersion, present: FunctionsVersion | undefined): boolean {
  if (!present || ours.version > present.version) return true;
  return ours.version === present.version && ours.hash !== present.hash; // of a program that is being worked on
}
