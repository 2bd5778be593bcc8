/** Answers what Node's parser refuses and no application could answer. */
import { randomUUID } from "node:crypto";
import type { Socket } from "node:net";
import { afterReading } from "../after-reading.ts";
import { STATUS } from "../errors.ts";
import { type Answer, errorBody, writeAnswer } from "./answer.ts";
import { retryAfterSeconds } from "./error-reply.ts";

/** Node's own limit for a request that stalls. */
export const TOO_SLOW = Object.assign(new Error("the request is too slow"), { code: "ERR_HTTP_REQUEST_TIMEOUT" });

/** How long, and how much, of a refused request is still read: closing at once could lose the answer to a reset. */
const LINGER_MS = 500;
const LINGER_BYTES_MAX = 4 * 1024 * 1024;

/**
 * Refused by Node's parser, so the application never sees it; answered in the same form all the same. Called again for
 * each further piece of the request.
 */
export function answerBrokenRequest(error: NodeJS.ErrnoException, socket: Socket): void {
  if (socket.writableEnded && socket.bytesRead < LINGER_BYTES_MAX) return;
  if (!socket.writable || error.code === "ECONNRESET") {
    socket.destroy();
    return;
  }
  const code =
    error.code === "HPE_HEADER_OVERFLOW"
      ? "headers_too_large"
      : error.code === "ERR_HTTP_REQUEST_TIMEOUT"
        ? "request_timeout"
        : "invalid_request";
  socket.end(writeUnparsed(code));
  setTimeout(() => afterReading(() => socket.destroy()), LINGER_MS).unref();
}

/** An answer to unparsed input, and the last one on its connection. */
export function writeUnparsed(code: BrokenCode): string {
  return writeAnswer(brokenRequest(code), "Connection: close", code);
}

export function brokenRequest(code: BrokenCode): Answer {
  const message = MESSAGES[code];
  const data = code === "invalid_request" ? { issues: [{ path: "", message }] } : {};
  const headers: Answer["headers"] = code === "unavailable" ? { "Retry-After": String(retryAfterSeconds()) } : {};
  const requestId = randomUUID();
  return { status: STATUS[code], requestId, body: errorBody({ code, message, data }, requestId), headers };
}

const MESSAGES = {
  headers_too_large: "The headers are too large",
  request_timeout: "The request did not arrive in time",
  invalid_request: "This is no valid HTTP request",
  unavailable: "There are too many connections, please try again",
};
type BrokenCode = keyof typeof MESSAGES;
