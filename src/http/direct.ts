/**
 * Answers the busiest route without a Request, a Response and their headers, which cost more than the rest of a
 * heartbeat. Only a whole JSON body of declared length, from no web page, takes this way; anything else (CORS, chunks,
 * another content type) takes the ordinary one. A connection that has carried anything but heartbeats stays on this
 * way: every Node device's does, because it begins with a start.
 */
import type { IncomingMessage, RequestListener } from "node:http";
import type { Logger } from "../log.ts";
import { type AnswerCode, countAnswer, type RouteCounts } from "../metrics/counts.ts";
import { type AnswerSigner, NONCE, SIGNATURE, type Signing, TRUSTS } from "../trust/signing.ts";
import { type Answer, sendAnswer } from "./answer.ts";
import { answerError } from "./error-reply.ts";
import { BODY_BYTES_MAX, isJson } from "./json-body.ts";
import type { PlainPost } from "./plain-post.ts";
import { chooseRequestId } from "./request-id.ts";

/** A POST that takes JSON and returns JSON. Hono serves it as well. */
export interface DirectPost {
  path: string;
  /** Takes the body's text, and returns the body of the 200 or throws an AppError. */
  run(text: string): Promise<object>;
}

export interface DirectRoute {
  path: string;
  /** Calls `send` once, now or later. */
  answer(post: PlainPost, send: Send): void;
}

type Send = (answer: Answer) => void;

/** `signing` undefined: no answer is signed. */
export function directRoute(
  route: DirectPost,
  { counts, log, signing }: { counts: RouteCounts; log: Logger; signing: Signing | undefined },
): DirectRoute {
  const { path } = route;
  const askSigner = ({ nonce, trusts, body }: PlainPost) =>
    nonce === undefined
      ? undefined
      : signing?.({ method: "POST", route: path, nonce, trusts, authorization: undefined, body });
  return {
    path,
    answer(post, send) {
      const began = performance.now();
      const requestId = chooseRequestId(post.requestId);
      let signer: AnswerSigner | undefined;
      const give = (answer: Answer, code: AnswerCode) => {
        send(answer);
        countAnswer(counts, code, began);
      };
      const giveError = (error: unknown, deliver: typeof give) => {
        const answer = answerError(error, requestId, log);
        deliver(answer, answer.body.code);
      };
      const deliver = (answer: Answer, code: AnswerCode) => {
        if (signer === undefined) return give(answer, code);
        signer.signAnswer(answer.status, JSON.stringify(answer.body)).then(
          (signature) => give({ ...answer, headers: { ...answer.headers, [SIGNATURE]: signature } }, code),
          (error) => giveError(error, give),
        );
      };
      try {
        signer = askSigner(post);
        route.run(post.body.toString("utf8")).then(
          (body) => deliver({ status: 200, requestId, body, headers: {} }, "ok"),
          (error) => giveError(error, deliver),
        );
      } catch (error) {
        giveError(error, deliver);
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
    readWhole(request, (body) => {
      const { "x-request-id": requestId, [NONCE]: nonce, [TRUSTS]: trusts } = request.headers as Once;
      route.answer({ requestId, nonce, trusts, body }, (answer) => sendAnswer(response, answer));
    });
  };
}

function isPlain({ headers }: IncomingMessage): boolean {
  const bytes = Number(headers["content-length"]);
  return bytes > 0 && bytes <= BODY_BYTES_MAX && isJson(headers["content-type"]) && headers.origin === undefined;
}

/** Node joins those that come twice. */
type Once = Record<string, string | undefined>;

/** Never calls back for a caller that hangs up midway. */
function readWhole(request: IncomingMessage, done: (body: Buffer) => void): void {
  const bytes = Number(request.headers["content-length"]);
  let read = 0;
  let parts: Buffer[] | undefined;
  request.on("data", (part: Buffer) => {
    read += part.length;
    if (parts === undefined && read === bytes) return done(part); // nearly always a single chunk
    parts ??= [];
    parts.push(part);
    if (read === bytes) done(Buffer.concat(parts));
  });
}
