/** TLS to the database, for the driver's `ssl` option: which certificates are trusted, and for which name. */
import { readFileSync } from "node:fs";
import { checkServerIdentity, createSecureContext, type PeerCertificate, type SecureContext } from "node:tls";
import { OperatorError } from "../errors.ts";
import type { TlsSettings } from "./destination.ts";

/** False: no TLS. "prefer": if the server has it. Throws an OperatorError if a file cannot be read or used. */
export function loadTls(tls: TlsSettings): object | false | "prefer" {
  if (tls.check === "off") return false;
  if (tls.check === "offered") return "prefer";
  const loaded = createLoader(tls);
  return {
    rejectUnauthorized: tls.check !== "unverified",
    checkServerIdentity: tls.check === "name" ? checkName : () => undefined,
    /** The driver copies the options for each connection, so a renewed certificate is used by the next one. */
    get secureContext() {
      return loaded();
    },
  };
}

/**
 * The options made from the files, rebuilt when they change. If a later rebuild fails (a file is being written, say)
 * the previous one stays in use: an error inside the driver would end the process.
 */
function createLoader(tls: TlsSettings): () => SecureContext {
  const files = { ca: tls.rootCert, cert: tls.cert, key: tls.key, crl: tls.crl };
  const paths = Object.entries(files).filter((entry): entry is [string, string] => entry[1] !== undefined);
  const read = () => paths.map(([option, path]) => [option, readFileSync(path, "utf8")] as const);
  const make = (contents: ReturnType<typeof read>) => {
    // Node.js would treat a file without certificates as an empty list.
    const empty = contents.find(([, text]) => !text.includes("-----BEGIN "));
    if (empty) throw new Error("no PEM stands in it");
    return createSecureContext({
      ...Object.fromEntries(contents),
      ...(tls.passphrase !== undefined && { passphrase: tls.passphrase }),
      ...(tls.minVersion !== undefined && { minVersion: tls.minVersion }),
      ...(tls.maxVersion !== undefined && { maxVersion: tls.maxVersion }),
    });
  };
  let last: { contents: string; context: SecureContext };
  const load = () => {
    const contents = read();
    const text = contents.join();
    if (text !== last?.contents) last = { contents: text, context: make(contents) };
    return last.context;
  };
  try {
    load();
  } catch (error) {
    const parameters = paths.map(([, path]) => path).join(", ");
    throw new OperatorError(
      `TLS as DATABASE_URL asks for it cannot be had (${parameters || "no files"}): ${(error as Error).message}`,
    );
  }
  return () => {
    try {
      return load();
    } catch {
      return last.context;
    }
  };
}

/**
 * The certificate must belong to the server that was called. Node.js checks "localhost" if the driver was given an
 * address, so the host comes from the socket, where the factory noted it; without one, every certificate is refused.
 */
function checkName(this: { socket?: { host?: string } }, _name: string, certificate: PeerCertificate) {
  const host = this?.socket?.host;
  if (host === undefined) return new Error("it is not known whose certificate this must be");
  return checkServerIdentity(host, certificate);
}
