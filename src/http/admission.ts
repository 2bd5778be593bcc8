/** Whose requests are under way, and what one connection may ask for at once, before the application sees any of it. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { answerBrokenRequest, brokenRequest, TOO_SLOW } from "./broken-request.ts";
import { BODY_BYTES_MAX } from "./json-body.ts";

/** Requests of one connection that may be under way at once: more of them are one sender's flood, not a client. */
const PIPELINED_MAX = 32;

/** How long a body may take to arrive; a slow one that is allowed must bring so much in each such time. */
const BODY_MS_MAX = 10_000;
const SLOW_BYTES_MIN = 10 * 1024;

export interface Admission {
  /** Whether the application shall see it; else it has been answered, or its connection cut. */
  admit(request: IncomingMessage, response: ServerResponse): boolean;
  /** How many requests are under way. */
  underWay(): number;
  /** Cuts the connections of requests that have not wholly arrived. */
  cutUnfinished(): void;
  /** Those of them that take too long: 408. */
  cutLate(): void;
}

/**
 * Counted, not collected: a Set that requests come to and leave all the time leads from each of its outgrown tables to
 * the next (V8 keeps them so for iterators), and one table that has grown old keeps all later requests from being young garbage.
 */
interface Connection {
  asking: number;
  /** Only the last of several requests can still be arriving. */
  newest: IncomingMessage | undefined;
  /** When its body began to come, or, of a slow one, when it was last found to have come on. */
  since: number;
  /** How far a slow one had come then; undefined: it must not be slow. */
  bytesThen: number | undefined;
}

type Asking = Socket & { connection?: Connection };

export function createAdmission(): Admission {
  const connections = new Set<Connection>();
  let underWay = 0;

  /** Of requests that were still in line for their answers when the connection broke, Node says nothing. */
  const follow = (socket: Asking): Connection => {
    const connection: Connection = { asking: 0, newest: undefined, since: 0, bytesThen: undefined };
    socket.connection = connection;
    connections.add(connection);
    socket.once("close", () => {
      connections.delete(connection);
      underWay -= connection.asking;
      connection.asking = 0;
      connection.newest = undefined;
    });
    return connection;
  };

  const leave = (connection: Connection) => {
    if (connection.asking === 0) return; // it broke before
    underWay--;
    connection.asking--;
    // Answered before it has wholly come, it still has its time only.
    if (connection.asking === 0 && connection.newest?.complete) connection.newest = undefined;
  };

  return {
    underWay: () => underWay,
    cutUnfinished() {
      for (const { newest } of connections) if (newest && !newest.complete) newest.destroy();
    },
    cutLate() {
      for (const connection of connections) {
        const { newest } = connection;
        if (newest && !newest.complete && isLate(connection, newest.socket))
          answerBrokenRequest(TOO_SLOW, newest.socket);
      }
    },
    admit(request, response) {
      const socket = request.socket as Asking;
      if (socket.destroyed) return false;
      const connection = socket.connection ?? follow(socket);
      if (connection.asking >= PIPELINED_MAX) {
        socket.destroy();
        return false;
      }
      if (request.headers.host === undefined && request.httpVersion !== "1.0") {
        refuse(response);
        return false;
      }
      if (isTooLarge(request)) response.setHeader("Connection", "close");
      underWay++;
      connection.asking++;
      connection.newest = request;
      connection.since = performance.now();
      connection.bytesThen = undefined;
      response.on("close", () => {
        leave(connection);
        // What the application did not read must not be read to its end either, if that is far or unknown.
        if (!request.complete && (isTooLarge(request) || isChunked(request))) socket.destroySoon();
      });
      return true;
    },
  };
}

/** The body of this request may take as long as it likes while it comes on: who sends it is known. */
export function allowSlowBody({ socket }: IncomingMessage): void {
  const { connection } = socket as Asking;
  if (connection) connection.bytesThen = socket.bytesRead;
}

function isLate(connection: Connection, { bytesRead }: Socket): boolean {
  const now = performance.now();
  if (now - connection.since < BODY_MS_MAX) return false;
  if (connection.bytesThen === undefined || bytesRead - connection.bytesThen < SLOW_BYTES_MIN) return true;
  connection.since = now;
  connection.bytesThen = bytesRead;
  return false;
}

const isTooLarge = ({ headers }: IncomingMessage): boolean => Number(headers["content-length"]) > BODY_BYTES_MAX;
const isChunked = ({ headers }: IncomingMessage): boolean => headers["transfer-encoding"] !== undefined;

function refuse(response: ServerResponse): void {
  const [body, { status, headers }] = brokenRequest("invalid_request");
  response
    .writeHead(status, { ...headers, "Content-Type": "application/json", Connection: "close" })
    .end(JSON.stringify(body));
}
