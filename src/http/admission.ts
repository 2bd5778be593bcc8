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
  underWay: ReadonlySet<IncomingMessage>;
}

type Asking = Socket & { asked?: Set<IncomingMessage> };

export function createAdmission(): Admission {
  const underWay = new Set<IncomingMessage>();

  /** Of requests that were still in line for their answers when the connection broke, Node says nothing. */
  const follow = (socket: Asking): Set<IncomingMessage> => {
    const asked = new Set<IncomingMessage>();
    socket.asked = asked;
    socket.once("close", () => {
      for (const request of asked) underWay.delete(request);
    });
    return asked;
  };

  return {
    underWay,
    admit(request, response) {
      const socket = request.socket as Asking;
      if (socket.destroyed) return false;
      const asked = socket.asked ?? follow(socket);
      if (asked.size >= PIPELINED_MAX) {
        socket.destroy();
        return false;
      }
      if (request.headers.host === undefined && request.httpVersion !== "1.0") {
        refuse(response);
        return false;
      }
      if (isTooLarge(request)) response.setHeader("Connection", "close");
      asked.add(request);
      underWay.add(request);
      response.on("close", () => {
        asked.delete(request);
        underWay.delete(request);
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
