/** Listens, with limits on time and headers, and stops listening without cutting anybody off. */
import { createServer, type Server } from "node:http";
import type { Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { getRequestListener } from "@hono/node-server";
import type { Hono } from "hono";
import { afterReading } from "../after-reading.ts";
import { OperatorError } from "../errors.ts";
import type { Logger } from "../log.ts";
import { type Counts, countsOfRoute } from "../metrics/counts.ts";
import { boundConnections } from "../open-files.ts";
import type { Signing } from "../trust/signing.ts";
import { type AdmissionRules, createAdmission } from "./admission.ts";
import { brokenRequest } from "./broken-request.ts";
import { type Connections, createConnections } from "./connections.ts";
import { answerDirectly, type DirectPost, directRoute } from "./direct.ts";
import { placeFront } from "./front.ts";
import { stopListening } from "./stop-listening.ts";

/** How long a drain waits for a request that has not fully arrived, or for the first on a connection. */
const ARRIVAL_MS = 1_000;

/** A drain closes kept connections that have been quiet for that long. */
const QUIET_MS = 250;

/** Reserved for the last answers if the drain could not stop listening before. */
const ANSWER_MS = 1_000;

const REPORT_MS = 60_000;

/** Cuts a connection that neither reads its answers nor sends; a watch stream's comments come every 15 s. */
const IDLE_MS = 90_000;

const CHECK_MS = 1_000;

/** As long as the system lets it be (Linux: net.core.somaxconn): after a restart everybody connects at once. */
const BACKLOG = 65_535;

const LIMITS = {
  maxHeaderSize: 16 * 1024,
  headersTimeout: 5_000,
  requestTimeout: 0, // cutLate handles bodies, whose limits differ
  // Longer than balancers keep theirs, and than a device's 30 s between heartbeats.
  keepAliveTimeout: 75_000,
  connectionsCheckingInterval: CHECK_MS,
  requireHostHeader: false, // Node would refuse without a body; see admit
};

export interface HttpServer {
  url: string;
  /**
   * Answers as before for a moment, each connection for the last time, so that balancers notice; then accepts no new
   * connection, calls `onClosed`, finishes the requests in flight, and is done by the deadline.
   */
  drain(deadlineMs: number, onClosed?: () => Promise<void>): Promise<void>;
}

export interface ListeningServer extends HttpServer {
  /** Whether somebody was turned away a moment ago because there were too many connections. */
  isFull(): boolean;
}

/** Throws an OperatorError if it cannot listen there. */
export async function listen(
  app: AdmissionRules & {
    hono: Pick<Hono, "fetch">;
    heartbeat: DirectPost | undefined;
    signing?: Signing | undefined;
    counts: Counts;
  },
  address: { host: string; port: number; connectionsMax?: number | undefined; drainSeconds?: number },
  log: Logger,
): Promise<ListeningServer> {
  const connections = createConnections(boundConnections(address.connectionsMax), log);
  const admission = createAdmission(connections, app);
  const ordinary = getRequestListener((request: Request, env) => app.hono.fetch(request, env), {
    hostname: "localhost", // HTTP/1.0 needs no Host, and balancers check health so
    errorHandler: () => {
      const { status, requestId, body } = brokenRequest("invalid_request");
      return Response.json(body, { status, headers: { "X-Request-Id": requestId } });
    },
  });
  const { heartbeat, signing } = app;
  const countsOf = (path: string) => countsOfRoute(app.counts, "POST", path);
  const route = heartbeat && directRoute(heartbeat, { counts: countsOf(heartbeat.path), log, signing });
  const direct = route ? answerDirectly(route, ordinary) : ordinary;
  const server = createServer(LIMITS, (request, response) => {
    if (admission.admit(request, response)) direct(request, response);
  });
  server.setTimeout(IDLE_MS);
  Object.assign(server, { httpAllowHalfOpen: true }); // a half-closed caller still reads; see admission
  // Ignores unknown expectations, which Node would refuse without a body.
  server.on("checkExpectation", (request, response) => server.emit("request", request, response));
  server.on("clientError", admission.refuseBroken);
  const front = route && placeFront(server, route, connections);
  boundServer(server, connections);
  const checking = setInterval(() => afterReading(admission.cutLate), CHECK_MS).unref();

  await new Promise<void>((resolve, reject) => {
    const fail = (error: NodeJS.ErrnoException) => reject(explain(error, address));
    server.once("error", fail);
    server.listen({ port: address.port, host: address.host, backlog: BACKLOG }, () => {
      server.off("error", fail);
      resolve();
    });
  });
  server.on("error", createTroubleReport(log));
  const bound = server.address() as { port: number };
  const host = address.host.includes(":") ? `[${address.host}]` : address.host;

  return {
    url: `http://${host}:${bound.port}`,
    isFull: connections.isFull,
    async drain(deadlineMs, onClosed) {
      const began = performance.now();
      admission.drain();
      front?.drain();
      await sleep((address.drainSeconds ?? 0) * 1000);
      await stopListening(server, began + deadlineMs - ANSWER_MS);
      await onClosed?.();
      const closedAt = performance.now();
      while (connections.size() > 0 && performance.now() < began + deadlineMs) {
        await new Promise<void>(afterReading);
        connections.closeQuiet({ atRest: QUIET_MS, arriving: ARRIVAL_MS });
        if (performance.now() > closedAt + ARRIVAL_MS) admission.cutUnfinished();
        await sleep(20);
      }
      connections.close();
      clearInterval(checking);
    },
  };
}

/** A connection without room never reaches the HTTP server. */
function boundServer(server: Server, connections: Connections): void {
  const inner = server.listeners("connection");
  server.removeAllListeners("connection");
  server.on("connection", (socket: Socket) => {
    if (connections.admit(socket)) for (const listener of inner) listener.call(server, socket);
  });
}

/** A connection that could not be accepted affects no other. */
function createTroubleReport(log: Logger): (err: Error) => void {
  let silentUntil = 0;
  return (err) => {
    if (performance.now() < silentUntil) return;
    silentUntil = performance.now() + REPORT_MS;
    log.error({ err }, "a connection could not be accepted");
  };
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
