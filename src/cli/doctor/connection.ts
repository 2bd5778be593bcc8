/** Whether the database lets us in, and if not, at which of the many doors one stood. */
import { nameDestination } from "../../database/destination.ts";
import { type Finding, fail, ok } from "./finding.ts";
import type { Examined } from "./sql.ts";

export async function checkConnection(database: Examined, url: string): Promise<Finding> {
  const target = nameDestination(url);
  try {
    const version = await database.version();
    return ok("database", `PostgreSQL ${version} answers at ${target}`);
  } catch (error) {
    const { code, message } = error as { code?: string; message?: string };
    const [what, mend] = explain(code ?? "", message ?? String(error), isEmbedded(url));
    return fail("database", `${target}: ${what}`, mend);
  }
}

const isEmbedded = (url: string) =>
  /^postgres:\/\/keybeat(_service)?:[0-9a-f]{48}@127\.0\.0\.1:\d+\/keybeat$/.test(url);

/** By the code of the driver, of the socket, of TLS or of PostgreSQL. */
function explain(code: string, message: string, embedded: boolean): [what: string, mend: string] {
  if (code === "ECONNREFUSED" && embedded) {
    return ["the embedded PostgreSQL is not running", "start it with keybeat serve"];
  }
  const exact = REASONS[code];
  if (exact) return exact;
  if (/^(EPROTO|ERR_SSL|ERR_TLS|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO|CERT_)/.test(code)) {
    return [
      `no TLS connection comes about (${code})`,
      "give the server a certificate that this host trusts (sslrootcert in DATABASE_URL, or NODE_EXTRA_CA_CERTS), or change sslmode in DATABASE_URL",
    ];
  }
  if (code === "28000" && /no encryption|SSL/i.test(message)) {
    return ["the server wants TLS", "add ?sslmode=require to DATABASE_URL"];
  }
  if (code.startsWith("28")) {
    return [`the server does not let this user in: ${message}`, "correct the user in DATABASE_URL, or pg_hba.conf"];
  }
  return [`${message || "unknown trouble"}${code ? ` (${code})` : ""}`, "look into the log of PostgreSQL"];
}

const DARK: [string, string] = [
  "nothing answers there, not even a refusal",
  "a firewall or a wrong address stands between: open the port for this host, or correct DATABASE_URL",
];
const CUT: [string, string] = [
  "the connection is cut before PostgreSQL has spoken",
  "is it PostgreSQL at that port, and does sslmode in DATABASE_URL fit the server (TLS or not)?",
];

const REASONS: Record<string, [what: string, mend: string]> = {
  ENOTFOUND: ["the name of the host is unknown", "correct the host in DATABASE_URL, or the DNS of this host"],
  EAI_AGAIN: ["the name of the host cannot be looked up now", "mend the DNS of this host"],
  ECONNREFUSED: ["nothing listens there", "start PostgreSQL, or correct host and port in DATABASE_URL"],
  EHOSTUNREACH: ["there is no way to that host", "mend the network between this host and the database"],
  ENETUNREACH: ["there is no way to that network", "mend the network between this host and the database"],
  CONNECT_TIMEOUT: DARK,
  ETIMEDOUT: DARK,
  ECONNRESET: CUT,
  CONNECTION_CLOSED: CUT,
  "28P01": ["the password is wrong, or the user unknown", "correct user and password in DATABASE_URL"],
  "3D000": ["that database does not exist", "make it with createdb, or correct the name in DATABASE_URL"],
  "42501": ["this user may not connect to that database", "GRANT CONNECT ON DATABASE … TO …"],
  NO_PRIMARY: [
    "none of the servers is a primary that answers",
    "ask for each of them alone in DATABASE_URL to see what is wrong with it",
  ],
  "53300": ["the server has no connection left", "raise max_connections, or run fewer processes; see connections.sql"],
  "57P03": ["the server is starting up, stopping or recovering", "wait; if it stays so, look into its log"],
};
