/** What Node's parser refuses, and what no application could answer. */
import { randomUUID } from "node:crypto";
import type { Socket } from "node:net";
import { STATUS } from "../errors.ts";
import { type Answer, errorBody, writeAnswer } from "./answer.ts";
import { retryAfterSeconds } from "./error-reply.ts";

/** As Node's own, of a request that does not come on. */
export const TOO_SLOW = Object.assign(new Error("the request is too slow"), { code: "ERR_HTTP_REQUEST_TIMEOUT" });

/** How long, and how much, of a refused request is still taken: closed on its sender, an answer may be lost (a reset). */
const LINGER_MS = 500;
const LINGER_BYTES_MAX = 4 * 1024 * 1024;

/**
 * What Node's parser refuses never reaches the application; it is answered in the same words all the same. Each further
 * piece of the request comes here again.
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
  setTimeout(() => socket.destroy(), LINGER_MS).unref();
}

/** An answer to what has not been parsed, and the last one on its connection. */
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
