/**
 * A POST in its plainest form, come whole and in one piece, read without Node's parser: that and its streams cost more
 * than all the rest of a heartbeat. It recognises and never refuses. Whatever else there is to a request (chunks, a
 * web page's origin, a header twice, a byte too many) is for Node to read from its first byte, so that where a request
 * ends is never seen in two ways (RFC 9112, sections 6.3 and 11.2).
 */
import { isJson } from "./json-body.ts";

export interface PlainPost {
  /** Its X-Request-Id, as it was sent. */
  requestId: string | undefined;
  body: string;
}

/** Devices send a tenth of it. */
const BYTES_MAX = 4096;

/**
 * Only visible ASCII, on one line, and no blank before the colon: what no two parsers read in two ways. The value begins
 * with what is no blank: were the blanks before it free to belong to either, a line that ends badly would be tried in
 * every way to divide them.
 */
const HEADER = /([\w!#$%&'*+.^`|~-]+):[ \t]*((?:[!-~][\t -~]*)?)\r\n/y;

/** A second one of those that are read, and those that change how a request is read or answered. */
const NOT_PLAIN = new Set([
  ...["host", "content-type", "content-length", "x-request-id"],
  ...["transfer-encoding", "content-encoding", "connection", "upgrade", "expect", "origin"],
]);

/** Undefined: it is not plain. `path` is compared as it stands. */
export function readPlainPost(chunk: Buffer, path: string): PlainPost | undefined {
  if (chunk.length > BYTES_MAX) return undefined;
  const text = chunk.toString("latin1");
  const requestLine = `POST ${path} HTTP/1.1\r\n`;
  if (!text.startsWith(requestLine)) return undefined;

  let [host, type, length, requestId]: Array<string | undefined> = [];
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
    else if (name === "connection" && value.toLowerCase() === "keep-alive") continue;
    else if (NOT_PLAIN.has(name)) return undefined;
  }
  if (!text.startsWith("\r\n", end) || host === undefined || !isJson(type) || !/^\d{1,4}$/.test(length ?? ""))
    return undefined;
  const bodyAt = end + 2;
  if (chunk.length !== bodyAt + Number(length)) return undefined;
  return { requestId, body: chunk.toString("utf8", bodyAt) };
}
