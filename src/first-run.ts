/** What a person sees when the service starts, and what the embedded default makes so that it can be tried at once. */
import { randomBytes } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Config } from "./config.ts";
import type { ChosenDatabase } from "./database/choose.ts";
import type { Database } from "./database/database.ts";
import { OperatorError } from "./errors.ts";
import { countKeys, createKey, type HashKey } from "./keys/index.ts";
import { findTokenFault } from "./secrets.ts";

export interface Welcome {
  adminToken: string | undefined;
  /** The lines to print when the service listens at `url`; the last one says so. */
  lines(url: string): string[];
}

/**
 * In the embedded default: the admin token, kept in the data folder and printed when it is made, and on an empty
 * database one demo key. With a DATABASE_URL nothing is made up.
 */
export async function welcome(
  config: Config,
  chosen: ChosenDatabase,
  database: Database,
  hashKey: HashKey,
): Promise<Welcome> {
  if (!chosen.embedded) return { adminToken: undefined, lines: (url) => [`listening on ${url}`] };

  const lines = [
    `database     embedded PostgreSQL 18 in ${config.dataDir} (for psql: ${join(config.dataDir, "database-url")})`,
  ];
  const file = join(config.dataDir, "admin-token");
  const token = config.adminToken === undefined ? await readOrMakeToken(file) : undefined;
  if (token?.made) lines.push(`admin token  ${token.text}   (kept in ${file})`);
  else if (token) lines.push(`admin token  in ${file}`);
  const demo = (await countKeys(database)) === 0 ? await createKey(database, hashKey, DEMO) : undefined;
  if (demo) lines.push(`demo key     ${demo.access_key}   (shown only now)`);
  return {
    adminToken: token?.text,
    lines: (url) => [...lines, ...(demo ? ["try it       " + curl(url, demo.access_key)] : []), `listening on ${url}`],
  };
}

const DEMO = { label: "demo" };

function curl(url: string, key: string): string {
  const body = JSON.stringify({ access_key: key, device: { name: "Device A" } });
  return `curl -s ${url}/api/session/start -H 'Content-Type: application/json' -d '${body}'`;
}

/** Only where there is no file is a token made: one that cannot be read at this moment is still what operators have. */
async function readOrMakeToken(file: string): Promise<{ text: string; made: boolean }> {
  const kept = await readFile(file, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return "";
    throw new OperatorError(`the admin token in ${file} cannot be read: ${error.message}`);
  });
  const text = kept.trim();
  if (text === "") return { text: await makeToken(file), made: true };
  const fault = findTokenFault(text);
  if (fault !== undefined) throw new OperatorError(`the admin token in ${file} ${fault}`);
  return { text, made: false };
}

async function makeToken(file: string): Promise<string> {
  const text = randomBytes(24).toString("hex");
  await writeFile(file, `${text}\n`, { mode: 0o600 });
  return text;
}
