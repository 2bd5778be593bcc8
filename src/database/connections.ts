/**
 * The one way to PostgreSQL: every connection of this program is opened here. Every option of the driver is given, as it
 * would look for the rest in the `PG*` variables of whoever's shell this was started from.
 */
import postgres from "postgres";
import { OperatorError } from "../errors.ts";
import { BadConnectionString } from "./connection-string.ts";
import { type Destination, readDestination, type Server } from "./destination.ts";
import { createSocketFactory, type SocketFactory } from "./socket.ts";
import { loadTls } from "./tls.ts";

export type Sql = postgres.Sql<{ bigint: number }>;

/** A connection string, read once: what may be wrong with it is thrown before anything is opened. */
export interface Way {
  destination: Destination;
  ssl: object | false | "prefer";
}

export interface ConnectionOptions {
  /** What they are for; PostgreSQL shows it as `keybeat <name>`. */
  name: string;
  max?: number;
  /** How long something that was sent may stay unanswered; undefined: for ever, as for a statement that takes its time. */
  silenceMsMax?: number;
  connectSeconds?: number;
  idleSeconds?: number;
  lifetimeSeconds?: number;
  /** How long after a failure the next is tried. */
  backoffSeconds?: () => number;
  prepare?: boolean;
  /** Of the caller, who closes it; instead of one made here with `silenceMsMax`. */
  sockets?: SocketFactory;
  /** One of the servers only. */
  only?: Server;
  onNotify?: (channel: string, payload: string) => void;
  onClose?: () => void;
}

/** Throws an OperatorError. */
export function findWay(url: string): Way {
  try {
    const destination = readDestination(url);
    return { destination, ssl: loadTls(destination.tls) };
  } catch (error) {
    throw error instanceof BadConnectionString ? new OperatorError(`DATABASE_URL ${error.message}`) : error;
  }
}

/**
 * What our statements and the driver's reading of dates rely on, whatever role, database or server are set to. PgBouncer
 * takes these and keeps them for each client; it refuses any other.
 */
const RELIED_ON = {
  DateStyle: "ISO, MDY",
  TimeZone: "UTC",
  client_encoding: "UTF8",
  standard_conforming_strings: "on",
};

export function openConnections({ destination, ssl }: Way, options: ConnectionOptions): Sql {
  // (The only one of these variables that no option of the driver can rule out.)
  delete process.env.PGTARGETSESSIONATTRS;
  const servers = options.only === undefined ? destination.servers : [options.only];
  const sockets = options.sockets ?? createSocketFactory(options.silenceMsMax ?? Number.POSITIVE_INFINITY, servers);
  const sql = postgres({
    host: servers.map((server) => server.host),
    port: servers.map((server) => server.port),
    path: false,
    database: destination.database,
    user: destination.user,
    password: () => destination.password, // an empty string would not be taken for one
    ssl,
    sslnegotiation: destination.tls.direct ? "direct" : null,
    // Of several hosts only the one that takes writes is of use. (What the driver calls read-write may be a standby.)
    target_session_attrs: servers.length > 1 ? "primary" : undefined,
    max: options.max ?? 1,
    // Nothing waits behind a busy connection: a slow call would hold up whoever was put behind it.
    max_pipeline: 1,
    connect_timeout: options.connectSeconds ?? 5,
    idle_timeout: options.idleSeconds ?? 0,
    max_lifetime: options.lifetimeSeconds ?? null,
    backoff: options.backoffSeconds ?? (() => 0.2),
    keep_alive: destination.keepAliveSeconds,
    prepare: destination.prepare && options.prepare !== false,
    fetch_types: false,
    debug: false,
    publications: "alltables",
    connection: {
      ...destination.settings,
      ...RELIED_ON,
      application_name: destination.applicationName ?? `keybeat ${options.name}`,
    },
    types: { bigint: { to: 20, from: [20], parse: Number, serialize: String } },
    onnotice: () => {},
    onnotify: options.onNotify,
    onclose: options.onClose,
    socket: sockets.open,
  } as unknown as postgres.Options<{ bigint: postgres.PostgresType<number> }>) as unknown as Sql;
  const end = sql.end;
  return Object.assign(sql, {
    /** With several hosts the driver goes round for ever while none answers, ended or not: then it gets no socket more. */
    end: (how?: { timeout?: number }) => end(how).finally(() => options.sockets ?? sockets.close()),
  });
}
