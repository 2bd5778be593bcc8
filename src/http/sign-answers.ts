/** Signs every answer under /api/session to a request with a nonce (src/trust/README.md), errors and streams too. */
import type { Context, MiddlewareHandler } from "hono";
import { type AnswerSigner, NONCE, SIGNATURE, type Signing, TRUSTS } from "../trust/signing.ts";
import { writtenAddress } from "./as-written.ts";
import { BODY_BYTES_MAX, readBytes } from "./json-body.ts";
import type { HttpEnv } from "./request-id.ts";

/** Outside of all that can answer or throw. */
export function signAnswers(signing: Signing): MiddlewareHandler<HttpEnv> {
  return async (c, next) => {
    const nonce = c.req.header(NONCE);
    const route = nonce === undefined ? "" : writtenAddress(c);
    if (nonce === undefined || !/^\/api\/session(?![^/?])/.test(route)) return next();

    const signer = signing({
      method: c.req.method,
      route,
      nonce,
      trusts: c.req.header(TRUSTS),
      authorization: c.req.header("authorization"),
      body: await takeBody(c),
    });
    await next();
    if (signer === undefined) return;
    if (c.req.method !== "HEAD" && c.res.headers.get("content-type")?.startsWith("text/event-stream")) {
      c.res = new Response(c.res.body?.pipeThrough(signEvents(signer)), c.res);
      return;
    }
    const body = Buffer.from(await c.res.arrayBuffer());
    const signature = await signer.signAnswer(c.res.status, c.req.method === "HEAD" ? "" : body);
    c.res = new Response(body.length > 0 ? body : null, c.res);
    c.res.headers.set(SIGNATURE, signature);
  };
}

/** Reads the body, and puts it back for whoever parses it. */
async function takeBody(c: Context): Promise<Uint8Array | "unread"> {
  if (c.req.raw.body === null) return new Uint8Array();
  if (Number(c.req.header("content-length") ?? 0) > BODY_BYTES_MAX) return "unread";
  const bytes = await readBytes(c.req.raw, BODY_BYTES_MAX);
  c.req.raw = new Request(c.req.raw.url, { method: c.req.method, headers: c.req.raw.headers, body: bytes });
  return bytes.length > BODY_BYTES_MAX ? "unread" : bytes;
}

/** Each piece of a stream is a whole event, or a comment, which has no signature. */
function signEvents(signer: AnswerSigner): TransformStream<Uint8Array, Uint8Array> {
  const [decoder, encoder] = [new TextDecoder(), new TextEncoder()];
  return new TransformStream({
    async transform(piece, controller) {
      const [, event, data] = /^event: ([^\n]*)\ndata: ([^\n]*)\n\n$/.exec(decoder.decode(piece)) ?? [];
      if (event === undefined || data === undefined) return controller.enqueue(piece);
      const signature = await signer.signEvent(event, data);
      controller.enqueue(encoder.encode(`event: ${event}\nsignature: ${signature}\ndata: ${data}\n\n`));
    },
  });
}
