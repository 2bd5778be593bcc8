/** A PostgreSQL of a fault's own, to be killed, stopped and frozen. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import postgres from "postgres";
import { type Cluster, prepareCluster } from "../../../src/database/embedded/cluster.ts";
import { startServer, stopServer } from "../../../src/database/embedded/server.ts";
import { databaseUrl } from "../../support/database-url.ts";

/** Whatever keeps the database of a fault. */
export interface DatabaseServer {
  /** Of the database that Keybeat uses. */
  url: string;
  /** A connection of the fault's own, past everything that may stand between. It comes back by itself. */
  sql: postgres.Sql;
  /** Undoes a `freeze`, where it knows one. */
  thaw?(): void;
  close(): Promise<void>;
}

export interface StandAlonePostgres extends DatabaseServer {
  /** One more connection, for a client that holds something. */
  connect(): postgres.Sql;
  /** Kills the postmaster with -9 and waits until its children have followed. */
  kill(): Promise<void>;
  stop(): Promise<void>;
  /** On the same port; first recovers what a kill left behind. */
  start(): Promise<void>;
  /** Freezes all its processes (SIGSTOP). */
  freeze(): Promise<void>;
  thaw(): void;
}

const DATABASE = "keybeat";

export async function startPostgres(folder: string): Promise<StandAlonePostgres> {
  const cluster = await prepareCluster(folder);
  const port = await startServer(cluster);
  const server = `postgres://keybeat:${cluster.password}@127.0.0.1:${port}/postgres`;
  const admin = connect(server);
  await admin.unsafe(`CREATE DATABASE ${DATABASE}`);
  await admin.end();
  const url = databaseUrl(server, DATABASE);
  const sql = connect(url);
  let frozen: number[] = [];

  const postmaster = () => Number(readFileSync(join(cluster.dir, "postmaster.pid"), "utf8").split("\n")[0]);
  const others = async () => (await sql`SELECT pid FROM pg_stat_activity`).map((row) => row.pid as number);
  const thaw = () => {
    for (const pid of frozen.splice(0)) signal(pid, "SIGCONT");
  };
  return {
    url,
    sql,
    thaw,
    connect: () => connect(url, 1),
    async kill() {
      const children = await others();
      signal(postmaster(), "SIGKILL");
      // Bounded, because a zombie that nobody reaps stays for ever and does no harm.
      for (let tries = 0; tries < 300 && children.some(isRunning); tries++) await sleep(10);
    },
    stop: () => stopServer(cluster),
    start: () => startAgain(cluster, port),
    async freeze() {
      frozen = [postmaster()];
      signal(postmaster(), "SIGSTOP"); // first, or it makes more while the others are counted
      frozen.push(...(await others()));
      for (const pid of frozen) signal(pid, "SIGSTOP");
    },
    async close() {
      thaw();
      await sql.end({ timeout: 1 });
      await stopServer(cluster);
    },
  };
}

export function connect(url: string, max = 2): postgres.Sql {
  return postgres(url, {
    max,
    fetch_types: false,
    onnotice: () => {},
    connect_timeout: 5,
    backoff: (() => 0.2) as unknown as boolean,
    types: { bigint: { to: 20, from: [20], parse: Number, serialize: String } },
  }) as unknown as postgres.Sql;
}

/** The dead one's shared memory may still be held for a moment by a child that is about to go. */
async function startAgain(cluster: Cluster, port: number): Promise<void> {
  for (let tries = 0; ; tries++) {
    try {
      await startServer(cluster, port);
      return;
    } catch (error) {
      if (tries === 20) throw error;
      await sleep(100);
    }
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // it has gone by itself
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
