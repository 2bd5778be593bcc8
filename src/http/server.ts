/** Listens, with limits on time and headers, and stops listening without cutting anybody off. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { getRequestListener } from "@hono/node-server";
import type { Hono } from "hono";
import { type ErrorCode, OperatorError, STATUS } from "../errors.ts";
import type { Logger } from "../log.ts";
import { answerDirectly } from "./direct.ts";
import { retryAfterSeconds } from "./error-reply.ts";
import type { PostRoute } from "./post-route.ts";

/** How long a drain waits for the rest of a request that has not wholly arrived. */
const ARRIVAL_MS = 1_000;

export interface HttpServer {
  url: string;
  /** Takes no new connection, answers what is under way, refuses what still comes in, and is done by the deadline. */
  drain(deadlineMs: number): Promise<void>;
}

/** Throws an OperatorError if the address cannot be had. */
export async function listen(
  app: { hono: Pick<Hono, "fetch">; heartbeat: PostRoute },
  address: { host: string; port: number },
  log: Logger,
): Promise<HttpServer> {
  let draining = false;
  const underWay = new Set<IncomingMessage>();
  const ordinary = getRequestListener((request: Request) => (draining ? refuse() : app.hono.fetch(request)));
  const direct = answerDirectly(app.heartbeat, log, ordinary);
  function leave(this: ServerResponse) {
    underWay.delete(this.req);
  }
  const options = {
    maxHeaderSize: 16 * 1024,
    headersTimeout: 5_000,
    requestTimeout: 10_000,
    // Longer than balancers keep theirs, and than a device's 30 s between two heartbeats.
    keepAliveTimeout: 75_000,
    connectionsCheckingInterval: 1_000,
  };
  const server = createServer(options, (request, response) => {
    underWay.add(request);
    response.on("close", leave);
    if (draining) {
      response.setHeader("Connection", "close");
      ordinary(request, response);
    } else {
      direct(request, response);
    }
  });
  server.on("clientError", answerBrokenRequest);

  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => reject(explain(error, address)));
    server.listen(address.port, address.host, resolve);
  });
  const bound = server.address() as { port: number };
  const host = address.host.includes(":") ? `[${address.host}]` : address.host;

  return {
    url: `http://${host}:${bound.port}`,
    async drain(deadlineMs) {
      draining = true;
      const closed = new Promise((resolve) => server.close(resolve));
      const began = performance.now();
      while (underWay.size > 0 && performance.now() < began + deadlineMs) {
        server.closeIdleConnections();
        if (performance.now() > began + ARRIVAL_MS) cutUnfinished(underWay);
        await sleep(20);
      }
      server.closeAllConnections();
      await closed;
    },
  };
}

function cutUnfinished(requests: Iterable<IncomingMessage>): void {
  for (const request of requests) if (!request.complete) request.destroy();
}

function refuse(): Response {
  const body = {
    error: "The service is restarting, please try again",
    code: "unavailable",
    request_id: crypto.randomUUID(),
  };
  return Response.json(body, {
    status: 503,
    headers: { "Retry-After": String(retryAfterSeconds()), Connection: "close", "X-Request-Id": body.request_id },
  });
}

/** What Node's parser refuses never reaches the application; it is answered in the same words all the same. */
function answerBrokenRequest(error: NodeJS.ErrnoException, socket: Socket): void {
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
  const messages: Partial<Record<ErrorCode, string>> = {
    headers_too_large: "The headers are too large",
    request_timeout: "The request did not arrive in time",
    invalid_request: "This is no valid HTTP request",
  };
  const request_id = crypto.randomUUID();
  const body = JSON.stringify({ error: messages[code], code, request_id });
  socket.end(
    `HTTP/1.1 ${STATUS[code]} ${code}\r\nContent-Type: application/json\r\nX-Request-Id: ${request_id}\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
}

function explain(error: NodeJS.ErrnoException, { host, port }: { host: string; port: number }): Error {
  const reasons: Record<string, string> = {
    EADDRINUSE: `port ${port} is taken by another program: choose another with PORT, or PORT=0 for a free one`,
    EACCES: `port ${port} is not open to this user: choose one from 1024 on with PORT`,
    EADDRNOTAVAIL: `this machine has no address ${host}: correct HOST`,
    ENOTFOUND: `the name ${host} is unknown: correct HOST`,
  };
  const reason = reasons[error.code ?? ""];
  return reason === undefined ? error : new OperatorError(reason);
}
