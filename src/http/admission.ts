/**
 * Decides which requests the application sees, how many a connection may have in flight, and how a connection ends:
 * what was carried out is answered, and nothing after the last answer is carried out.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { afterReading } from "../after-reading.ts";
import { answerBrokenRequest, brokenRequest, TOO_SLOW } from "./broken-request.ts";
import type { Connection, Connections } from "./connections.ts";

/** Requests in flight on one connection; more are a flood, not a client. */
const PIPELINED_MAX = 32;

/** How long a half-closed caller still gets its answers; one that has hung up looks just like it. */
const HALF_CLOSED_MS = 3_000;
/** How long a body may take to arrive; one that may be slow must make progress in each such period. */
const BODY_MS_MAX = 10_000;
const SLOW_BYTES_MIN = 10 * 1024;

export interface Admission {
  /** Whether the application shall see it; if not, it was answered here, or came after its connection's last answer. */
  admit(request: IncomingMessage, response: ServerResponse): boolean;
  /** Answers what Node's parser refuses, after what came before it. */
  refuseBroken(error: NodeJS.ErrnoException, socket: Socket): void;
  /** From now on each connection ends with its next answer. */
  drain(): void;
  /** Cuts connections whose request has not fully arrived. */
  cutUnfinished(): void;
  /** Answers those that take too long with 408. */
  cutLate(): void;
}

interface Asking {
  connection: Connection;
  /** Of pipelined requests only the last can still be arriving. */
  newest: { request: IncomingMessage; response: ServerResponse } | undefined;
  /** Nothing more is carried out on this connection. */
  ending: boolean;
  /** Why the newest request cannot be read to its end. */
  broken: NodeJS.ErrnoException | undefined;
  /** When its body began to arrive or, if it may be slow, when it last made progress. */
  since: number;
  /** How much of a slow body had arrived then; undefined: it must not be slow. */
  bytesThen: number | undefined;
}

type Known = Socket & { asking?: Asking };

export interface AdmissionRules {
  /** Whether a request to that path may be held for longer than an answer takes. */
  waits(path: string): boolean;
  /** How large its body may be. */
  bodyBytesMax(path: string): number;
}

export function createAdmission(connections: Connections, { waits, bodyBytesMax }: AdmissionRules): Admission {
  const isTooLarge = ({ headers, url = "" }: IncomingMessage): boolean => {
    const declared = headers["content-length"];
    return declared !== undefined && Number(declared) > bodyBytesMax(url.split("?", 1)[0] as string);
  };
  const all = new Set<Asking>();
  let draining = false;

  const follow = (socket: Known): Asking => {
    const asking: Asking = {
      connection: connections.of(socket),
      newest: undefined,
      ending: false,
      broken: undefined,
      since: 0,
      bytesThen: undefined,
    };
    socket.asking = asking;
    all.add(asking);
    socket.once("end", () => endHalfClosed(asking));
    socket.once("close", () => {
      all.delete(asking);
      asking.newest = undefined;
    });
    return asking;
  };

  /** Node sends the pending answers and then closes, but it would wait for ever for a stream to end. */
  const endHalfClosed = ({ connection, newest }: Asking) => {
    if (newest === undefined) return;
    const { request, response } = newest;
    const isStream = response.headersSent && !response.writableEnded;
    if (isStream || waits(request.url ?? "")) return connection.socket.destroy();
    response.shouldKeepAlive = false;
    setTimeout(() => connection.socket.destroy(), HALF_CLOSED_MS).unref();
  };

  /** The newest request is the last to be answered. */
  const endAfterNewest = (asking: Asking) => {
    asking.ending = true;
    if (asking.newest === undefined) return;
    asking.newest.response.shouldKeepAlive = false;
    asking.newest.response.on("close", () => asking.connection.socket.destroySoon());
    asking.connection.socket.pause();
  };

  /** The verb waits for a body that will never come, so nobody else answers; earlier requests are answered first. */
  const answerBroken = ({ broken, newest, connection }: Asking) => {
    if (broken === undefined || newest === undefined || connection.asking > 1) return;
    if (newest.response.headersSent) connection.socket.destroySoon();
    else answerBrokenRequest(broken, connection.socket);
  };

  /** Marks the last answer: the one to the request that no other has followed. */
  const moveEnd = (asking: Asking, response: ServerResponse): boolean => {
    const before = asking.newest?.response;
    if (before?.headersSent && !before.shouldKeepAlive) return false; // already marked
    if (before && before.shouldKeepAlive !== response.shouldKeepAlive) before.shouldKeepAlive = true;
    response.shouldKeepAlive = false;
    return true;
  };

  const refuseBroken = (error: NodeJS.ErrnoException, socket: Known) => {
    const { asking } = socket;
    if (asking?.newest === undefined) return answerBrokenRequest(error, socket);
    if (asking.ending) return;
    asking.ending = true;
    if (!asking.newest.request.complete) {
      asking.broken = error;
      return answerBroken(asking);
    }
    asking.newest.response.shouldKeepAlive = true;
    asking.newest.response.on("close", () => answerBrokenRequest(error, socket));
  };

  return {
    drain() {
      draining = true;
      for (const { newest } of all) if (newest) newest.response.shouldKeepAlive = false;
    },
    cutUnfinished() {
      for (const { newest } of all) if (newest && !newest.request.complete) newest.request.destroy();
    },
    refuseBroken(error, socket: Known) {
      if (error.code !== TOO_SLOW.code) return refuseBroken(error, socket);
      const seen = socket.asking?.since;
      afterReading(() => {
        if (socket.asking?.since === seen) refuseBroken(error, socket);
      });
    },
    cutLate() {
      for (const asking of all) {
        const { newest, connection } = asking;
        if (newest && !newest.request.complete && isLate(asking)) answerBrokenRequest(TOO_SLOW, connection.socket);
      }
    },
    admit(request, response) {
      const socket = request.socket as Known;
      if (socket.destroyed || socket.writableEnded) return false;
      const asking = socket.asking ?? follow(socket);
      if (asking.ending) return false;
      response.on("error", ignore);
      if (asking.connection.asking >= PIPELINED_MAX) {
        endAfterNewest(asking);
        return false;
      }
      if (request.headers.host === undefined && request.httpVersion !== "1.0") {
        asking.ending = true;
        refuse(response);
        return false;
      }
      if (draining && !moveEnd(asking, response)) return false;
      if (isTooLarge(request)) {
        response.setHeader("Connection", "close");
        asking.ending = true;
      }
      connections.begin(asking.connection);
      asking.newest = { request, response };
      asking.since = performance.now();
      asking.bytesThen = undefined;
      response.on("close", () => {
        connections.leave(asking.connection);
        if (asking.newest?.response === response) asking.newest = undefined;
        answerBroken(asking);
        // A body that the application did not read must not be read to its end either, if that is far or unknown.
        if (!request.complete && (isTooLarge(request) || isChunked(request))) socket.destroySoon();
      });
      return true;
    },
  };
}

/** A failed write to a caller that is gone is not our trouble. */
function ignore(): void {}
/** This request's body may be slow as long as it makes progress, because its sender is known. */
export function allowSlowBody({ socket }: IncomingMessage): void {
  const { asking } = socket as Known;
  if (asking) asking.bytesThen = socket.bytesRead;
}

function isLate(asking: Asking): boolean {
  const now = performance.now();
  const { bytesRead } = asking.connection.socket;
  if (now - asking.since < BODY_MS_MAX) return false;
  if (asking.bytesThen === undefined || bytesRead - asking.bytesThen < SLOW_BYTES_MIN) return true;
  asking.since = now;
  asking.bytesThen = bytesRead;
  return false;
}

const isChunked = ({ headers }: IncomingMessage): boolean => headers["transfer-encoding"] !== undefined;

function refuse(response: ServerResponse): void {
  const { status, requestId, body } = brokenRequest("invalid_request");
  response
    .writeHead(status, { "X-Request-Id": requestId, "Content-Type": "application/json", Connection: "close" })
    .end(JSON.stringify(body));
}
