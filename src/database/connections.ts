/**
 * The only place that opens connections to PostgreSQL. Every driver option is set explicitly, because the driver would
 * take missing ones from the `PG*` variables of whichever shell started this program.
 */
import postgres from "postgres";
import { OperatorError } from "../errors.ts";
import { BadConnectionString } from "./connection-string.ts";
import { type Destination, readDestination, type Server } from "./destination.ts";
import { createSocketFactory, type SocketFactory } from "./socket.ts";
import { loadTls } from "./tls.ts";

export type Sql = postgres.Sql<{ bigint: number }>;

/** A connection string, parsed once: its errors are thrown before anything is opened. */
export interface Way {
  destination: Destination;
  ssl: object | false | "prefer";
}

export interface ConnectionOptions {
  /** Their purpose; PostgreSQL shows it as `keybeat <name>`. */
  name: string;
  max?: number;
  /** How long sent data may stay unanswered; undefined: for ever, as for long statements. */
  silenceMsMax?: number;
  connectSeconds?: number;
  idleSeconds?: number;
  lifetimeSeconds?: number;
  /** Delay between a failed connection and the next try. */
  backoffSeconds?: () => number;
  prepare?: boolean;
  /** Owned and closed by the caller; replaces one made here with `silenceMsMax`. */
  sockets?: SocketFactory;
  /** Restricts the connections to one of the servers. */
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
 * What our statements and the driver's date parsing rely on, whatever the defaults of role, database or server.
 * PgBouncer tracks these for each client; it refuses any other.
 */
const RELIED_ON = {
  DateStyle: "ISO, MDY",
  TimeZone: "UTC",
  client_encoding: "UTF8",
  standard_conforming_strings: "on",
};

export function openConnections({ destination, ssl }: Way, options: ConnectionOptions): Sql {
  // (The only one of these variables that no driver option can override.)
  delete process.env.PGTARGETSESSIONATTRS;
  const servers = options.only === undefined ? destination.servers : [options.only];
  const sockets = options.sockets ?? createSocketFactory(options.silenceMsMax ?? Number.POSITIVE_INFINITY, servers);
  const sql = postgres({
    host: servers.map((server) => server.host),
    port: servers.map((server) => server.port),
    path: false,
    database: destination.database,
    user: destination.user,
    password: () => destination.password, // an empty string would be ignored
    ssl,
    sslnegotiation: destination.tls.direct ? "direct" : null,
    // Of several hosts only the one that accepts writes will do. (The driver's read-write may be a standby.)
    target_session_attrs: servers.length > 1 ? "primary" : undefined,
    max: options.max ?? 1,
    // No pipelining: a slow call would hold up whatever was queued behind it.
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
    /** With several hosts the driver retries for ever, even once ended; from then on it gets no more sockets. */
    end: (how?: { timeout?: number }) => end(how).finally(() => options.sockets ?? sockets.close()),
  });
}
