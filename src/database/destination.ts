/**
 * What a connection string means: where to connect, as whom, and how securely. Parameters of libpq and of other drivers
 * are accepted by their meaning. Unknown ones are reported in a note; one whose omission would weaken the connection is
 * refused.
 */
import { userInfo } from "node:os";
import type { SecureVersion } from "node:tls";
import { BadConnectionString, readConnectionString } from "./connection-string.ts";

export interface Server {
  /** A name, an address, or the directory of a socket. */
  host: string;
  /** Its address, if the name is not to be resolved. */
  address: string | undefined;
  port: number;
}

export interface TlsSettings {
  /**
   * off: no TLS. offered: if the server has it. unverified: the certificate is not checked. chain: it must come from
   * the CA. name: and match the server's name.
   */
  check: "off" | "offered" | "unverified" | "chain" | "name";
  /** Undefined: the CAs that Node.js trusts. These are file paths, as is the next. */
  rootCert: string | undefined;
  cert: string | undefined;
  key: string | undefined;
  crl: string | undefined;
  passphrase: string | undefined;
  minVersion: SecureVersion | undefined;
  maxVersion: SecureVersion | undefined;
  /** Starts TLS without asking first whether the server speaks it. */
  direct: boolean;
}

export interface Destination {
  /** Several: whichever is the primary. */
  servers: Server[];
  database: string;
  user: string;
  password: string;
  tls: TlsSettings;
  /** Undefined: each connection's default name. */
  applicationName: string | undefined;
  /** Session settings beyond our own, by their PostgreSQL names. */
  settings: Record<string, string>;
  /** False: behind a pooler that loses prepared statements. */
  prepare: boolean;
  keepAliveSeconds: number;
  /** How long a start waits for the database; undefined: the default. */
  waitSeconds: number | undefined;
  /** Startup log notes on parameters that are not honoured, a line each. */
  notes: string[];
}

/** Throws a BadConnectionString. Reads no file. */
export function readDestination(text: string): Destination {
  const read = readConnectionString(text);
  const taken = new Set<string>();
  const take = (...names: string[]) => {
    for (const name of names) taken.add(name);
    return names.map((name) => read.get(name)).find((value) => value !== undefined && value !== "");
  };
  for (const [name, isHeld] of Object.entries(UNHELD)) {
    const value = take(name);
    if (value !== undefined && !isHeld.test(value)) {
      throw new BadConnectionString(`must not have ${name}: this driver cannot do it`);
    }
  }
  const servers = readServers(take);
  const user = take("user") ?? ownName();
  const tls = readTls(take, servers);
  const notes = notesOn(take, tls);
  const destination: Destination = {
    servers,
    database: take("dbname") ?? user,
    user,
    password: take("password") ?? "",
    tls,
    applicationName: take("application_name"),
    settings: readSettings(take),
    prepare: !isPooled(take),
    keepAliveSeconds: take("keepalives") === "0" ? 0 : wholeNumber(take, "keepalives_idle", 60),
    waitSeconds: wholeNumber(take, "connect_timeout", 0) || undefined,
    notes,
  };
  take("fallback_application_name", "uselibpqcompat", "load_balance_hosts");
  take("sslcompression", "sslsni", "sslkeylogfile");
  const left = [...read.keys()].filter((name) => !taken.has(name));
  // Another driver's parameter, or misspelt: its author wants TLS and would not get it.
  const tlsName = left.find((name) => /^(require)?(ssl|tls)/i.test(name));
  if (tlsName !== undefined) throw new BadConnectionString(`must not have ${tlsName}: say it by sslmode`);
  if (left.length > 0) notes.push(`DATABASE_URL: ${left.join(", ")} has no meaning here and is left out`);
  return destination;
}

/** For people: host, port and database of a connection string, and nothing else. */
export const nameDestination = (text: string): string => nameServers(readDestination(text));

export function nameServers({ servers, database }: Destination): string {
  const name = ({ host, port }: Server) => `${host.includes(":") ? `[${host}]` : host}:${port}`;
  return `${servers.map(name).join()}/${database}`;
}

type Take = (...names: string[]) => string | undefined;

/** Parameters whose omission would weaken the connection, with the values that ask for no more than is done anyway. */
const UNHELD: Record<string, RegExp> = {
  require_auth: /^$/,
  requirepeer: /^$/,
  gssencmode: /^(disable|prefer)$/,
  sslcrldir: /^$/,
  sslidentity: /^$/,
  sslcertmode: /^(disable|allow)$/,
  passfile: /^$/,
  service: /^$/,
  target_session_attrs: /^(any|read-write|primary)$/,
};

function readServers(take: Take): Server[] {
  const hosts = take("host")?.split(",") ?? [];
  const addresses = take("hostaddr")?.split(",") ?? [];
  const ports = take("port")?.split(",") ?? [];
  const count = Math.max(hosts.length, addresses.length);
  const servers = Array.from({ length: count }, (_, at) => ({
    host: hosts[at] || addresses[at] || "",
    address: addresses[at] || undefined,
    port: Number((ports.length === 1 ? ports[0] : ports[at]) || 5432),
  }));
  if (servers.length === 0 || servers.some(({ host }) => host === "")) {
    throw new BadConnectionString(
      "must look like postgres://user:password@host:5432/database (or for a socket /database?host=/var/run/postgresql)",
    );
  }
  if (servers.some(({ port }) => !Number.isInteger(port) || port < 1 || port > 65_535)) {
    throw new BadConnectionString("must have ports between 1 and 65535");
  }
  return servers;
}

const MODES: Record<string, TlsSettings["check"]> = {
  disable: "off",
  allow: "offered",
  prefer: "offered",
  require: "unverified",
  "no-verify": "unverified",
  "verify-ca": "chain",
  "verify-full": "name",
  // Other drivers accept these as values of `ssl`.
  false: "off",
  "0": "off",
  true: "name",
  "1": "name",
};

function readTls(take: Take, servers: Server[]): TlsSettings {
  const mode = take("sslmode", "ssl") ?? (take("requiressl") === "1" ? "require" : undefined);
  const accept = take("sslaccept"); // Prisma's
  const rootCert = take("sslrootcert");
  const hasOwn = take("sslcertmode") !== "disable";
  const [cert, key] = [take("sslcert"), take("sslkey")];
  const crl = take("sslcrl");
  const direct = take("sslnegotiation") === "direct";
  const bound = take("channel_binding") === "require";
  if (mode !== undefined && MODES[mode] === undefined) {
    throw new BadConnectionString("must have as sslmode disable, allow, prefer, require, verify-ca or verify-full");
  }
  if (hasOwn && (cert === undefined) !== (key === undefined)) {
    throw new BadConnectionString("must have sslcert and sslkey together");
  }
  let check = mode === undefined ? (rootCert === "system" ? "name" : "off") : (MODES[mode] as TlsSettings["check"]);
  if (rootCert === "system" && check !== "name") {
    throw new BadConnectionString("must have sslmode=verify-full beside sslrootcert=system");
  }
  if (bound && mode !== undefined && check === "off") {
    throw new BadConnectionString("must have another sslmode than disable beside channel_binding=require");
  }
  // A client certificate implies TLS.
  const isMeant = [rootCert, cert, crl, accept].some((given) => given !== undefined) || direct || bound;
  if (isMeant && (check === "offered" || mode === undefined) && check !== "name") check = "unverified";
  // As in libpq, naming the CA implies verifying against it.
  if (check === "unverified" && (rootCert ?? crl) !== undefined) check = "chain";
  if (accept === "strict") check = "name";
  else if (accept !== undefined && accept !== "accept_invalid_certs") {
    throw new BadConnectionString("must have as sslaccept strict or accept_invalid_certs");
  }
  // Nobody can eavesdrop on a socket, and libpq uses no TLS there.
  if (servers.every(({ host }) => host.startsWith("/"))) check = "off";
  return {
    check,
    crl,
    direct,
    rootCert: rootCert === "system" ? undefined : rootCert,
    cert: hasOwn ? cert : undefined,
    key: hasOwn ? key : undefined,
    passphrase: take("sslpassword"),
    minVersion: tlsVersion(take, "ssl_min_protocol_version"),
    maxVersion: tlsVersion(take, "ssl_max_protocol_version"),
  };
}

function tlsVersion(take: Take, name: string): SecureVersion | undefined {
  const version = take(name);
  if (version !== undefined && !/^TLSv1(\.[123])?$/.test(version)) {
    throw new BadConnectionString(`must have as ${name} TLSv1, TLSv1.1, TLSv1.2 or TLSv1.3`);
  }
  return version as SecureVersion | undefined;
}

function notesOn(take: Take, { check, rootCert }: TlsSettings): string[] {
  const notes: string[] = [];
  if (take("channel_binding") === "require" && check !== "name") {
    notes.push("DATABASE_URL: channel_binding=require is not enforced; sslmode=verify-full makes sure of the server");
  }
  if (check === "chain" && rootCert === undefined) {
    notes.push(
      "DATABASE_URL: sslmode=verify-ca without sslrootcert trusts a certificate of any public CA, whatever its name; use verify-full",
    );
  }
  return notes;
}

/** Session settings to pass on; PostgreSQL accepts them, and so does a pooler that is configured to. */
const SESSION_SETTINGS = ["options", "search_path", "statement_timeout", "lock_timeout", "idle_session_timeout"];

function readSettings(take: Take): Record<string, string> {
  const settings: Record<string, string> = {};
  for (const name of SESSION_SETTINGS) {
    const value = take(name);
    if (value !== undefined) settings[name] = value;
  }
  const schema = take("schema", "currentSchema"); // Prisma's and JDBC's
  if (schema !== undefined) settings.search_path ??= `"${schema.replaceAll('"', '""')}"`;
  take("client_encoding"); // always UTF8
  return settings;
}

/** Each driver has its own way to say that prepared statements are lost. */
function isPooled(take: Take): boolean {
  return [
    take("prepare") === "false",
    take("pgbouncer") === "true",
    take("pool_mode") === "transaction",
    take("statement_cache_size") === "0",
    take("prepared_statements") === "false",
    take("prepareThreshold") === "0",
  ].includes(true);
}

function wholeNumber(take: Take, name: string, otherwise: number): number {
  const text = take(name);
  if (text !== undefined && !/^\d{1,6}$/.test(text)) throw new BadConnectionString(`must have a number as ${name}`);
  return text === undefined ? otherwise : Number(text);
}

function ownName(): string {
  try {
    return userInfo().username;
  } catch {
    throw new BadConnectionString("must name a user"); // this process's user id has no name
  }
}
