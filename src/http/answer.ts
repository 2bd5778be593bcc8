/**
 * Answers, and the two ways to send them without Hono: as bytes where Node's server is not involved, or through its
 * response. The body of every error is made here.
 */
import { type ServerResponse, STATUS_CODES } from "node:http";
import type { AppError, ErrorCode } from "../errors.ts";

export interface Answer {
  status: number;
  requestId: string;
  body: object;
  /** Beyond the headers of every answer. */
  headers: Record<string, string>;
}

export interface ErrorBody {
  error: string;
  code: ErrorCode;
  request_id: string;
}

/** Also the final event of a stream. */
export function errorBody(
  { message, code, data }: Pick<AppError, "message" | "code" | "data">,
  request_id: string,
): ErrorBody {
  return { error: message, code, request_id, ...data };
}

/** `connection` holds the header lines about the connection; `reason` defaults to HTTP's phrase for the status. */
export function writeAnswer(
  { status, requestId, body, headers }: Answer,
  connection: string,
  reason = STATUS_CODES[status],
): string {
  const text = JSON.stringify(body);
  const more = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return (
    `HTTP/1.1 ${status} ${reason}\r\nContent-Type: application/json\r\nX-Request-Id: ${requestId}\r\n` +
    `Content-Length: ${Buffer.byteLength(text)}\r\n${more.join("")}${connection}\r\n\r\n${text}`
  );
}

export function sendAnswer(response: ServerResponse, { status, requestId, body, headers }: Answer): void {
  const text = JSON.stringify(body);
  response.writeHead(status, [
    "Content-Type",
    "application/json",
    "X-Request-Id",
    requestId,
    "Content-Length",
    String(Buffer.byteLength(text)),
    ...Object.entries(headers).flat(),
  ]);
  response.end(text);
}
