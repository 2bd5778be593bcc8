/** What a person sees at startup, and what the embedded default creates so that it can be tried at once. */
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { commandLine } from "./command-line.ts";
import type { Config } from "./config.ts";
import type { ChosenDatabase } from "./database/choose.ts";
import type { Database } from "./database/database.ts";
import { createPrivate, readPrivate, replacePrivate } from "./database/embedded/private-files.ts";
import { OperatorError } from "./errors.ts";
import { createKey, type HashKey } from "./keys/index.ts";
import { countKeys } from "./keys/sql.ts";
import { type FindFault, findJwtSecretFault, findTokenFault } from "./secrets.ts";

export interface Welcome {
  adminToken: string | undefined;
  /** By which users' tokens are signed. */
  jwtSecret: string | undefined;
  /** The lines to print once the service listens at `url`; the last one is the ready line. */
  lines(url: string): string[];
}

/**
 * Embedded default only: creates the admin token (kept in the data folder, printed once), the secret of users' tokens (kept
 * there, printed never) and, on an empty database, one demo key. With a DATABASE_URL nothing is created.
 */
export async function welcome(
  config: Config,
  chosen: ChosenDatabase,
  database: Database,
  hashKey: HashKey,
): Promise<Welcome> {
  if (!chosen.embedded) return { adminToken: undefined, jwtSecret: undefined, lines: (url) => [`listening on ${url}`] };

  const lines = [
    `database     embedded PostgreSQL 18 in ${config.dataDir} (for psql: ${join(config.dataDir, "database-url")})`,
  ];
  const file = join(config.dataDir, "admin-token");
  const token = config.adminToken === undefined ? await readOrMake(file, ADMIN_TOKEN) : undefined;
  if (token?.made) lines.push(`admin token  ${token.text}   (kept in ${file})`);
  else if (token) lines.push(`admin token  in ${file}`);
  const demo = (await countKeys(database)) === 0 ? await createKey(database, hashKey, DEMO, FIRST_RUN) : undefined;
  if (demo) lines.push(`demo key     ${demo.access_key}   (shown only now)`);
  const secret = config.userTokens === undefined ? await readOrMake(secretFile(config), JWT_SECRET) : undefined;
  if (secret)
    lines.push(`user token   ${commandLine()} ${TOKEN}   (prints one for games; signed by ${secretFile(config)})`);
  return {
    adminToken: token?.text,
    jwtSecret: secret?.text,
    lines: (url) => [...lines, ...(demo ? ["try it       " + curl(url, demo.access_key)] : []), `listening on ${url}`],
  };
}

const secretFile = ({ dataDir }: Pick<Config, "dataDir">) => join(dataDir, "jwt-secret");

/** The secret of users' tokens that the embedded default has made; undefined: it has not run yet. Throws an OperatorError. */
export async function readJwtSecret(config: Pick<Config, "dataDir">): Promise<string | undefined> {
  const file = secretFile(config);
  return existsSync(file) ? (await readOrMake(file, JWT_SECRET)).text : undefined;
}

/** Of a backend, to try the routes that ask for one. */
const TOKEN = "token --sub backend --role service";
const DEMO = { label: "demo" };
/** Created without a request from anybody, and the audit log says so. */
const FIRST_RUN = { who: "first run", from: null };

function curl(url: string, key: string): string {
  const body = JSON.stringify({ access_key: key, device: { name: "Device A" } });
  return `curl -s ${url}/api/session/start -H 'Content-Type: application/json' -d '${body}'`;
}

interface Made {
  /** To a person. */
  name: string;
  bytes: number;
  findFault: FindFault;
}

const ADMIN_TOKEN: Made = { name: "admin token", bytes: 24, findFault: findTokenFault };
const JWT_SECRET: Made = { name: "secret of users' tokens", bytes: 32, findFault: findJwtSecretFault };

/**
 * Creates a secret only if the file is missing: an unreadable file still holds the one in use. Processes that start at
 * once agree on one.
 */
async function readOrMake(file: string, { name, bytes, findFault }: Made): Promise<{ text: string; made: boolean }> {
  const fresh = randomBytes(bytes).toString("hex");
  const read = async () => (await readPrivate(file)).trim();
  try {
    await createPrivate(file, `${fresh}\n`);
    if ((await read()) === "") await replacePrivate(file, `${fresh}\n`);
    const text = await read();
    const fault = findFault(text);
    if (fault !== undefined) throw new OperatorError(`the ${name} in ${file} ${fault}`);
    return { text, made: text === fresh };
  } catch (error) {
    if (error instanceof OperatorError) throw error;
    throw new OperatorError(`the ${name} in ${file} cannot be read: ${(error as Error).message}`);
  }
}
