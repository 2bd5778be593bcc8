/** What Node's parser refuses, and what no application could answer. */
import type { Socket } from "node:net";
import { type ErrorCode, STATUS } from "../errors.ts";

/** As Node's own, of a request that does not come on. */
export const TOO_SLOW = Object.assign(new Error("the request is too slow"), { code: "ERR_HTTP_REQUEST_TIMEOUT" });

/** What Node's parser refuses never reaches the application; it is answered in the same words all the same. */
export function answerBrokenRequest(error: NodeJS.ErrnoException, socket: Socket): void {
  if (!socket.writable || error.code === "ECONNRESET") {
    socket.destroy();
    return;
  }
  const code: ErrorCode =
    error.code === "HPE_HEADER_OVERFLOW"
      ? "headers_too_large"
      : error.code === "ERR_HTTP_REQUEST_TIMEOUT"
        ? "request_timeout"
        : "invalid_request";
  const [said, { headers }] = brokenRequest(code);
  const body = JSON.stringify(said);
  socket.end(
    `HTTP/1.1 ${STATUS[code]} ${code}\r\nContent-Type: application/json\r\nX-Request-Id: ${headers["X-Request-Id"]}\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
}

export function brokenRequest(code: ErrorCode) {
  const messages: Partial<Record<ErrorCode, string>> = {
    headers_too_large: "The headers are too large",
    request_timeout: "The request did not arrive in time",
    invalid_request: "This is no valid HTTP request",
  };
  const request_id = crypto.randomUUID();
  const issues = code === "invalid_request" ? [{ path: "", message: messages[code] }] : undefined;
  const body = { error: messages[code], code, request_id, issues };
  return [body, { status: STATUS[code], headers: { "X-Request-Id": request_id } }] as const;
}
