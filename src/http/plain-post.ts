/**
 * Parses a POST in its plainest form, complete and in one piece, without Node's parser, which with its streams costs
 * more than the rest of a heartbeat. It recognises and never refuses. Anything else (chunks, a web page's origin, a
 * repeated header, a byte too many) is left for Node to read from its first byte, so that the end of a request is never
 * seen in two ways (RFC 9112, sections 6.3 and 11.2).
 */
import { NONCE, TRUSTS } from "../trust/signing.ts";
import { isJson } from "./json-body.ts";

export interface PlainPost {
  /** Its X-Request-Id, Keybeat-Nonce and Keybeat-Trusts, as sent. */
  requestId: string | undefined;
  nonce: string | undefined;
  trusts: string | undefined;
  body: Buffer;
}

/** Devices send a tenth of it. */
const BYTES_MAX = 4096;

/**
 * Only visible ASCII on one line, and no blank before the colon: what no two parsers read differently. The value begins
 * with a non-blank: if leading blanks could belong to either part, a bad line would be tried in every split.
 */
const HEADER = /([\w!#$%&'*+.^`|~-]+):[ \t]*((?:[!-~][\t -~]*)?)\r\n/y;

/** Headers that are read here and repeated, and headers that change how a request is read or answered. */
const NOT_PLAIN = new Set([
  ...["host", "content-type", "content-length", "x-request-id", NONCE, TRUSTS],
  ...["transfer-encoding", "content-encoding", "connection", "upgrade", "expect", "origin"],
]);

/** Undefined: not plain. `path` is compared byte for byte. */
export function readPlainPost(chunk: Buffer, path: string): PlainPost | undefined {
  if (chunk.length > BYTES_MAX) return undefined;
  const text = chunk.toString("latin1");
  const requestLine = `POST ${path} HTTP/1.1\r\n`;
  if (!text.startsWith(requestLine)) return undefined;

  let [host, type, length, requestId, nonce, trusts]: Array<string | undefined> = [];
  let end = requestLine.length;
  HEADER.lastIndex = end;
  for (let header = HEADER.exec(text); header !== null; header = HEADER.exec(text)) {
    end = HEADER.lastIndex;
    const name = (header[1] as string).toLowerCase();
    const value = header[2] as string;
    if (name === "host" && host === undefined) host = value;
    else if (name === "content-type" && type === undefined) type = value;
    else if (name === "content-length" && length === undefined) length = value;
    else if (name === "x-request-id" && requestId === undefined) requestId = value.trimEnd();
    else if (name === NONCE && nonce === undefined) nonce = value.trimEnd();
    else if (name === TRUSTS && trusts === undefined) trusts = value.trimEnd();
    else if (name === "connection" && value.toLowerCase() === "keep-alive") continue;
    else if (NOT_PLAIN.has(name)) return undefined;
  }
  if (!text.startsWith("\r\n", end) || host === undefined || !isJson(type) || !/^\d{1,4}$/.test(length ?? ""))
    return undefined;
  const bodyAt = end + 2;
  if (chunk.length !== bodyAt + Number(length)) return undefined;
  return { requestId, nonce, trusts, body: chunk.subarray(bodyAt) };
}
