/** What a fault happens to: PostgreSQL, two servers on it, keys, an operator, and load through all of it. */

import { join } from "node:path";
import { type Database, openDatabase } from "../../../src/database/database.ts";
import { migrateDatabase } from "../../../src/database/migrate.ts";
import { createHashKey, createKey } from "../../../src/keys/index.ts";
import { BY, kickByPrefix } from "../../support/operator.ts";
import { JWT_SECRET } from "../../support/player-token.ts";
import { newAccessKey } from "../../support/secrets.ts";
import type { Circumstances } from "../checker/history.ts";
import type { FaultRoom } from "../fault.ts";
import { type Load, type LoadKey, startLoad } from "../load/load.ts";
import { LEASING } from "./leasing.ts";
import { type DatabaseServer, type StandAlonePostgres, startPostgres } from "./postgres.ts";
import { roomSettings, roomTimeouts, roomUsers } from "./room.ts";
import { compareClocks } from "./rows.ts";
import { type Away, createServer, type ServerProcess } from "./server.ts";

export interface SetUpOptions<D extends DatabaseServer = StandAlonePostgres> {
  /** Another than a stand-alone PostgreSQL. */
  database?(room: FaultRoom): Promise<D>;
  /** Where the servers run, if not on this host. */
  away?: Away;
  timeoutSeconds?: number;
  keys?: number;
  /** Settings of a server beyond the usual; there are 0 and 1. */
  env?(server: number): Record<string, string>;
  /** A file descriptor for the servers' output, where it does not go to their files. */
  output?: number;
  /** Sits between the servers and the database: gets the database's URL and returns the servers'. */
  between?(databaseUrl: string): Promise<{ url: string; close(): Promise<void> }>;
}

export interface SetUp<D extends DatabaseServer = StandAlonePostgres> {
  postgres: D;
  servers: ServerProcess[];
  keys: LoadKey[];
  /** A key that the load leaves alone, for what a fault asks by itself. */
  spareKey: LoadKey;
  load: Load;
  /** The faults add what they did. */
  circumstances: Circumstances;
  /** What must be closed, in this order reversed. */
  undo: Array<() => Promise<unknown>>;
}

/** `undo` is filled as it goes, so that what was begun is closed also where this fails midway. */
export async function setUp<D extends DatabaseServer>(
  room: FaultRoom,
  options: SetUpOptions<D>,
  undo: SetUp["undo"],
): Promise<SetUp<D>> {
  const timeoutSeconds = options.timeoutSeconds ?? (room.short ? 4 : 6);
  const postgres = (await (options.database?.(room) ?? startPostgres(room.folder))) as D;
  undo.push(postgres.close);
  const between = await options.between?.(postgres.url);
  if (between) undo.push(between.close);
  await migrateDatabase(postgres.url);
  const operator = openDatabase(postgres.url);
  undo.push(operator.close);
  const [spareKey, ...keys] = (await makeKeys(operator, 1 + (options.keys ?? 45))) as [LoadKey, ...LoadKey[]];
  const usual = {
    DATABASE_URL: between?.url ?? postgres.url,
    SESSION_TIMEOUT_SECONDS: String(timeoutSeconds),
    CLEANUP_CRON: "*/2 * * * * *",
    LIMIT_UNKNOWN_KEYS: "0",
    LIMIT_SIGN_INS: "0",
    LIMIT_STARTS: "0",
    LIMIT_PLACES: "0",
    JWT_SECRET,
    ...LEASING,
    ...roomSettings(timeoutSeconds),
  };
  const servers = await Promise.all(
    [0, 1].map((at) => {
      const env = { ...usual, ...options.env?.(at) };
      return createServer({
        env,
        output: options.output,
        away: options.away,
        logFile: join(room.folder, `server-${at}.log`),
      });
    }),
  );
  undo.push(() => Promise.all(servers.map((server) => server.stop("SIGKILL"))));
  await Promise.all(servers.map((server) => server.start()));
  room.signal.throwIfAborted();

  const reach = options.away?.reach ?? (async (urls: string[]) => urls);
  const timeoutMs = timeoutSeconds * 1000;
  const clock = await compareClocks(postgres.sql);
  const load = startLoad({
    servers: await reach(servers.map((server) => server.url)),
    keys,
    users: roomUsers(Math.ceil(keys.length / 2)),
    workers: Math.ceil(keys.length / 9),
    tables: Math.ceil(keys.length / 15),
    timeoutMs,
    signal: room.signal,
    kick: async (prefix) => (await kickByPrefix(operator, prefix)) === "kicked",
  });
  undo.push(load.stop, async () => postgres.thaw?.()); // the operator of the load may be waiting for a frozen one
  const roomTimeoutMs = roomTimeouts(timeoutSeconds);
  const circumstances = { timeoutMs, roomTimeoutMs, outages: [], crashes: [], clock };
  return { postgres, servers, keys, spareKey, load, circumstances, undo };
}

async function makeKeys(operator: Database, count: number): Promise<LoadKey[]> {
  const keys: LoadKey[] = [];
  for (let n = 0; n < count; n++) keys.push(await makeKey(operator));
  return keys;
}

/** A busy machine may take longer than a caller of the service waits. */
export async function makeKey(operator: Database): Promise<LoadKey> {
  for (let tries = 0; ; tries++) {
    const accessKey = newAccessKey();
    const made = await createKey(operator, createHashKey(undefined), { key: accessKey }, BY).catch((error) => {
      if (tries === 20 || error.code !== "unavailable") throw error;
    });
    if (made) return { id: made.id, accessKey };
  }
}
