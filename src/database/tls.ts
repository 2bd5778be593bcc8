/** TLS to the database, for the driver's `ssl` option: which certificates are trusted, and whose. */
import { readFileSync } from "node:fs";
import { checkServerIdentity, type PeerCertificate, type SecureVersion } from "node:tls";
import { OperatorError } from "../errors.ts";
import type { TlsSettings } from "./destination.ts";

/** False: none. "prefer": where the server has it. Throws an OperatorError if a file cannot be read. */
export function loadTls(tls: TlsSettings): object | false | "prefer" {
  if (tls.check === "off") return false;
  if (tls.check === "offered") return "prefer";
  const options = {
    rejectUnauthorized: tls.check !== "unverified",
    checkServerIdentity: tls.check === "name" ? checkName : () => undefined,
    ...(tls.passphrase !== undefined && { passphrase: tls.passphrase }),
    ...(tls.minVersion !== undefined && { minVersion: tls.minVersion as SecureVersion }),
    ...(tls.maxVersion !== undefined && { maxVersion: tls.maxVersion as SecureVersion }),
  };
  for (const [option, parameter, path] of [
    ["ca", "sslrootcert", tls.rootCert],
    ["cert", "sslcert", tls.cert],
    ["key", "sslkey", tls.key],
    ["crl", "sslcrl", tls.crl],
  ] as const) {
    if (path === undefined) continue;
    // The driver copies the options for each connection: so a certificate that was renewed is used by the next one.
    Object.defineProperty(options, option, { enumerable: true, get: createReader(parameter, path) });
  }
  return options;
}

/** What the file holds; if it is away for a moment, what it held before. */
function createReader(parameter: string, path: string): () => Buffer {
  const read = () => readFileSync(path);
  let last: Buffer;
  try {
    last = read();
  } catch (error) {
    throw new OperatorError(`${parameter} in DATABASE_URL cannot be read: ${(error as Error).message}`);
  }
  return () => {
    try {
      last = read();
    } catch {}
    return last;
  };
}

/**
 * The certificate must be of the server that was called. Node.js asks for "localhost" where the driver was given an
 * address, so the host is looked up at the socket, on which the factory has noted it; if it is not there, nothing passes.
 */
function checkName(this: { socket?: { host?: string } }, _name: string, certificate: PeerCertificate) {
  const host = this?.socket?.host;
  return host === undefined
    ? new Error("it is not known whose certificate this must be")
    : checkServerIdentity(host, certificate);
}
