/** Listens, with limits on time and headers, and stops listening without cutting anybody off. */
import { createServer } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { getRequestListener } from "@hono/node-server";
import type { Hono } from "hono";
import { OperatorError } from "../errors.ts";
import type { Logger } from "../log.ts";
import { type Counts, countsOfRoute } from "../metrics/counts.ts";
import { createAdmission } from "./admission.ts";
import { answerBrokenRequest, brokenRequest } from "./broken-request.ts";
import { answerDirectly, directRoute } from "./direct.ts";
import { retryAfterSeconds } from "./error-reply.ts";
import { placeFront } from "./front.ts";
import type { PostRoute } from "./post-route.ts";

/** How long a drain waits for the rest of a request that has not wholly arrived. */
const ARRIVAL_MS = 1_000;

/** A connection that takes nothing of its answers and gives nothing is cut; a watch stream's comments come every 15 s. */
const IDLE_MS = 90_000;

const CHECK_MS = 1_000;

const LIMITS = {
  maxHeaderSize: 16 * 1024,
  headersTimeout: 5_000,
  requestTimeout: 0, // of bodies see cutLate: not all have the same
  // Longer than balancers keep theirs, and than a device's 30 s between two heartbeats.
  keepAliveTimeout: 75_000,
  connectionsCheckingInterval: CHECK_MS,
  requireHostHeader: false, // Node would refuse without a body; see admit
};

export interface HttpServer {
  url: string;
  /** Takes no new connection, answers what is under way, refuses what still comes in, and is done by the deadline. */
  drain(deadlineMs: number): Promise<void>;
}

/** Throws an OperatorError if the address cannot be had. */
export async function listen(
  app: { hono: Pick<Hono, "fetch">; heartbeat: PostRoute | undefined; counts: Counts },
  address: { host: string; port: number },
  log: Logger,
): Promise<HttpServer> {
  let draining = false;
  const { admit, underWay, cutUnfinished, cutLate } = createAdmission();
  const ordinary = getRequestListener((request: Request, env) => (draining ? refuse() : app.hono.fetch(request, env)), {
    hostname: "localhost", // HTTP/1.0 needs no Host, and balancers ask for health so
    errorHandler: () => Response.json(...brokenRequest("invalid_request")),
  });
  const { heartbeat } = app;
  const route = heartbeat && directRoute(heartbeat, countsOfRoute(app.counts, "POST", heartbeat.path), log);
  const direct = route ? answerDirectly(route, ordinary) : ordinary;
  const server = createServer(LIMITS, (request, response) => {
    if (!admit(request, response)) return;
    if (draining) {
      response.setHeader("Connection", "close");
      ordinary(request, response);
    } else {
      direct(request, response);
    }
  });
  server.setTimeout(IDLE_MS);
  // What else is expected is ours to ignore; Node would refuse it without a body.
  server.on("checkExpectation", (request, response) => server.emit("request", request, response));
  server.on("clientError", answerBrokenRequest);
  const front = route && placeFront(server, route);
  const checking = setInterval(cutLate, CHECK_MS).unref();

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
      front?.drain();
      while (underWay() + (front?.underWay() ?? 0) > 0 && performance.now() < began + deadlineMs) {
        server.closeIdleConnections();
        if (performance.now() > began + ARRIVAL_MS) cutUnfinished();
        await sleep(20);
      }
      front?.close();
      server.closeAllConnections();
      clearInterval(checking);
      await closed;
    },
  };
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
