/**
 * What is answered, and the ways onto a connection beside Hono's: bytes where Node's server does not speak, and one of its
 * responses where it does. Every error has its body from here.
 */
import { type ServerResponse, STATUS_CODES } from "node:http";
import type { AppError, ErrorCode } from "../errors.ts";

export interface Answer {
  status: number;
  requestId: string;
  body: object;
  /** Beyond what every answer has. */
  headers: Record<string, string>;
}

export interface ErrorBody {
  error: string;
  code: ErrorCode;
  request_id: string;
}

/** Also what a stream ends with. */
export function errorBody(
  { message, code, data }: Pick<AppError, "message" | "code" | "data">,
  request_id: string,
): ErrorBody {
  return { error: message, code, request_id, ...data };
}

/** `connection` are the header lines about it; `reason` is what HTTP calls the status, unless it is given. */
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
