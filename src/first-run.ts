/** What a person sees at startup, and what the embedded default creates so that it can be tried at once. */
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import type { Config } from "./config.ts";
import type { ChosenDatabase } from "./database/choose.ts";
import type { Database } from "./database/database.ts";
import { createPrivate, readPrivate, replacePrivate } from "./database/embedded/private-files.ts";
import { OperatorError } from "./errors.ts";
import { createKey, type HashKey } from "./keys/index.ts";
import { countKeys } from "./keys/sql.ts";
import { findTokenFault } from "./secrets.ts";

export interface Welcome {
  adminToken: string | undefined;
  /** The lines to print once the service listens at `url`; the last one is the ready line. */
  lines(url: string): string[];
}

/**
 * Embedded default only: creates the admin token (kept in the data folder, printed once) and, on an empty database, one
 * demo key. With a DATABASE_URL nothing is created.
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
  const demo = (await countKeys(database)) === 0 ? await createKey(database, hashKey, DEMO, FIRST_RUN) : undefined;
  if (demo) lines.push(`demo key     ${demo.access_key}   (shown only now)`);
  return {
    adminToken: token?.text,
    lines: (url) => [...lines, ...(demo ? ["try it       " + curl(url, demo.access_key)] : []), `listening on ${url}`],
  };
}

const DEMO = { label: "demo" };
/** Created without a request from anybody, and the audit log says so. */
const FIRST_RUN = { who: "first run", from: null };

function curl(url: string, key: string): string {
  const body = JSON.stringify({ access_key: key, device: { name: "Device A" } });
  return `curl -s ${url}/api/session/start -H 'Content-Type: application/json' -d '${body}'`;
}

/**
 * Creates a token only if the file is missing: an unreadable file still holds the token operators use. Processes that
 * start at once agree on one.
 */
async function readOrMakeToken(file: string): Promise<{ text: string; made: boolean }> {
  const fresh = randomBytes(24).toString("hex");
  const read = async () => (await readPrivate(file)).trim();
  try {
    await createPrivate(file, `${fresh}\n`);
    if ((await read()) === "") await replacePrivate(file, `${fresh}\n`);
    const text = await read();
    const fault = findTokenFault(text);
    if (fault !== undefined) throw new OperatorError(`the admin token in ${file} ${fault}`);
    return { text, made: text === fresh };
  } catch (error) {
    if (error instanceof OperatorError) throw error;
    throw new OperatorError(`the admin token in ${file} cannot be read: ${(error as Error).message}`);
  }
}
