/** What a connection may ask for at once, before the application sees any of it. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { brokenRequest } from "./broken-request.ts";
import { BODY_BYTES_MAX } from "./json-body.ts";

/** Requests of one connection that may be under way at once: more of them are one sender's flood, not a client. */
const PIPELINED_MAX = 32;

type Counted = Socket & { underWay?: number };

/** Whether the application shall see it; then `leave` must be called when its response is closed. */
export function admit(request: IncomingMessage, response: ServerResponse): boolean {
  const socket = request.socket as Counted;
  if (socket.destroyed) return false;
  const count = (socket.underWay ?? 0) + 1;
  if (count > PIPELINED_MAX) {
    socket.destroy();
    return false;
  }
  const { headers } = request;
  if (headers.host === undefined && request.httpVersion !== "1.0") {
    refuse(response);
    return false;
  }
  if (Number(headers["content-length"]) > BODY_BYTES_MAX) response.setHeader("Connection", "close");
  socket.underWay = count;
  return true;
}

export function leave(request: IncomingMessage): void {
  const socket = request.socket as Counted;
  socket.underWay = (socket.underWay ?? 1) - 1;
  // What the application did not read must not be read to its end either.
  if (!request.complete) socket.destroySoon();
}

function refuse(response: ServerResponse): void {
  const [body, { status, headers }] = brokenRequest("invalid_request");
  response
    .writeHead(status, { ...headers, "Content-Type": "application/json", Connection: "close" })
    .end(JSON.stringify(body));
}
