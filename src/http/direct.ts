/**
 * Answers the busiest route without a Request, a Response and their headers, which cost more than the rest of a
 * heartbeat. Only a whole JSON body of declared length, from no web page, takes this way; anything else (CORS, chunks,
 * another content type) takes the ordinary one. A connection that has carried anything but heartbeats stays on this
 * way: every Node device's does, because it begins with a start.
 */
import type { IncomingMessage, RequestListener } from "node:http";
import type { Logger } from "../log.ts";
import { countAnswer, type RouteCounts } from "../metrics/counts.ts";
import { type Answer, sendAnswer } from "./answer.ts";
import { answerError } from "./error-reply.ts";
import { BODY_BYTES_MAX, isJson } from "./json-body.ts";
import { chooseRequestId } from "./request-id.ts";

/** A POST that takes JSON and returns JSON. Hono serves it as well. */
export interface DirectPost {
  path: string;
  /** Takes the body's text, and returns the body of the 200 or throws an AppError. */
  run(text: string): Promise<object>;
}

export interface DirectRoute {
  path: string;
  /** Takes a body's text and its X-Request-Id, and calls `send` once, now or later. */
  answer(text: string, givenId: string | undefined, send: Send): void;
}

type Send = (answer: Answer) => void;

export function directRoute(route: DirectPost, counts: RouteCounts, log: Logger): DirectRoute {
  return {
    path: route.path,
    answer(text, givenId, send) {
      const began = performance.now();
      const requestId = chooseRequestId(givenId);
      const succeed = (body: object) => {
        send({ status: 200, requestId, body, headers: {} });
        countAnswer(counts, "ok", began);
      };
      const fail = (error: unknown) => {
        const answer = answerError(error, requestId, log);
        send(answer);
        countAnswer(counts, answer.body.code, began);
      };
      try {
        route.run(text).then(succeed, fail);
      } catch (error) {
        fail(error);
      }
    },
  };
}

/** For requests that Node has parsed. */
export function answerDirectly(route: DirectRoute, otherwise: RequestListener): RequestListener {
  return (request, response) => {
    if (request.url !== route.path || request.method !== "POST" || !isPlain(request)) {
      otherwise(request, response);
      return;
    }
    readText(request, (text) => {
      route.answer(text, request.headers["x-request-id"] as string | undefined, (answer) =>
        sendAnswer(response, answer),
      );
    });
  };
}

function isPlain({ headers }: IncomingMessage): boolean {
  const bytes = Number(headers["content-length"]);
  return bytes > 0 && bytes <= BODY_BYTES_MAX && isJson(headers["content-type"]) && headers.origin === undefined;
}

/** Never calls back for a caller that hangs up midway. */
function readText(request: IncomingMessage, done: (text: string) => void): void {
  const bytes = Number(request.headers["content-length"]);
  let read = 0;
  let parts: Buffer[] | undefined;
  request.on("data", (part: Buffer) => {
    read += part.length;
    if (parts === undefined && read === bytes) return done(part.toString("utf8")); // nearly always a single chunk
    parts ??= [];
    parts.push(part);
    if (read === bytes) done(Buffer.concat(parts).toString("utf8"));
  });
}
