/** Whose requests are under way, and what one connection may ask for at once, before the application sees any of it. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { brokenRequest } from "./broken-request.ts";
import { BODY_BYTES_MAX } from "./json-body.ts";

/** Requests of one connection that may be under way at once: more of them are one sender's flood, not a client. */
const PIPELINED_MAX = 32;

export interface Admission {
  /** Whether the application shall see it; else it has been answered, or its connection cut. */
  admit(request: IncomingMessage, response: ServerResponse): boolean;
  /** How many requests are under way. */
  underWay(): number;
  /** Cuts the connections of requests that have not wholly arrived. */
  cutUnfinished(): void;
}

/**
 * Counted, not collected: a Set that requests come to and leave all the time leads from each of its outgrown tables to
 * the next (V8 keeps them so for iterators), and one table that has grown old keeps all later requests from being young garbage.
 */
interface Connection {
  asking: number;
  /** Only the last of several requests can still be arriving. */
  newest: IncomingMessage | undefined;
}

type Asking = Socket & { connection?: Connection };

export function createAdmission(): Admission {
  const connections = new Set<Connection>();
  let underWay = 0;

  /** Of requests that were still in line for their answers when the connection broke, Node says nothing. */
  const follow = (socket: Asking): Connection => {
    const connection: Connection = { asking: 0, newest: undefined };
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
    if (connection.asking === 0) connection.newest = undefined;
  };

  return {
    underWay: () => underWay,
    cutUnfinished() {
      for (const { newest } of connections) if (newest && !newest.complete) newest.destroy();
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
      response.on("close", () => {
        leave(connection);
        // What the application did not read must not be read to its end either, if that is far or unknown.
        if (!request.complete && (isTooLarge(request) || isChunked(request))) socket.destroySoon();
      });
      return true;
    },
  };
}

const isTooLarge = ({ headers }: IncomingMessage): boolean => Number(headers["content-length"]) > BODY_BYTES_MAX;
const isChunked = ({ headers }: IncomingMessage): boolean => headers["transfer-encoding"] !== undefined;

function refuse(response: ServerResponse): void {
  const [body, { status, headers }] = brokenRequest("invalid_request");
  response
    .writeHead(status, { ...headers, "Content-Type": "application/json", Connection: "close" })
    .end(JSON.stringify(body));
}
