/**
 * A fetch that lets through what the service signed for this very request, and nothing else (src/trust/README.md, Signatures).
 * The rest is a failed network: an error, or an empty answer that says no more than when to try again.
 */
import { readChunks, readEvents, type StreamEvent } from "../body.ts";
import type { Fetch } from "../platform.ts";
import { type Bytes, join, sha256, toBytes, toHex } from "./bytes.ts";
import { drawId } from "./draw-id.ts";
import type { PublicKeys } from "./public-keys.ts";

const BYTES_MAX = 65_536;
const NO_LEAF = "0".repeat(64);
/** What a piece that brought no whole event becomes: the stream is alive. */
const COMMENT = toBytes(":\n");

interface Asked {
  method: string;
  /** From /api on, with the query. */
  route: string;
  nonce: string;
  /** Of the body or, without one, of the Authorization header. */
  digest: string;
}

export function signedFetch(plain: Fetch, keys: PublicKeys): Fetch {
  return async (url, init) => {
    const nonce = drawId();
    const headers = init.headers as Record<string, string>;
    const sent = { ...headers, "Keybeat-Nonce": nonce, "Keybeat-Trusts": keys.ids };
    const [response, digest] = await Promise.all([
      plain(url, { ...init, headers: sent }),
      hexOf(toBytes((init.body as string | undefined) ?? headers.Authorization ?? "")),
    ]);
    const asked = { method: init.method ?? "GET", route: url.slice(url.lastIndexOf("/api/")), nonce, digest };
    const { status, type } = response;
    // A redirect is followed by nobody, whoever it is from.
    if (type === "opaqueredirect" || (status > 300 && status < 400)) return response;
    const contentType = response.headers.get("content-type") ?? "";
    const streams = headers.Accept === "text/event-stream" && status === 200 && contentType.startsWith(headers.Accept);
    if (streams) return new Response(verifyEvents(response, asked, keys), { headers: { "Content-Type": contentType } });
    return verifyAnswer(response, asked, keys);
  };
}

async function verifyAnswer(response: Response, asked: Asked, keys: PublicKeys): Promise<Response> {
  const { headers, status } = response;
  const body = await readBytes(response);
  const bodyDigest = await hexOf(body);
  const { method, route, nonce, digest } = asked;
  const leaf = await keys.verifyLeaf(headers.get("keybeat-signature") ?? "", (id, time) =>
    ["keybeat-answer-v1", id, method, route, status, nonce, digest, bodyDigest, time].join("\n"),
  );
  if (leaf) return new Response(body, { status, headers });
  if (status !== 429 && status < 500) throw new Error(`an answer that no trusted key signed (HTTP ${status})`);
  return new Response(null, { status, headers: { "Retry-After": headers.get("retry-after") ?? "" } });
}

/** The events one after the other, each bound to the one before. The first that is not right breaks the stream. */
function verifyEvents(response: Response, asked: Asked, keys: PublicKeys): ReadableStream<Bytes> {
  const events = readEvents(response);
  let index = 0;
  let before = NO_LEAF;
  const verify = async ({ event, text, signature = "" }: StreamEvent) => {
    const data = await hexOf(toBytes(text));
    const { route, nonce, digest } = asked;
    const leaf = await keys.verifyLeaf(signature, (id, time) =>
      ["keybeat-event-v1", id, route, nonce, digest, index, before, event, data, time].join("\n"),
    );
    if (!leaf) throw new Error("an event that no trusted key signed");
    before = toHex(leaf);
    index++;
    return toBytes(`event: ${event}\ndata: ${text}\n\n`);
  };
  return new ReadableStream<Bytes>({
    async pull(controller) {
      const { done, value } = await events.next();
      if (done) return controller.close();
      try {
        controller.enqueue(value ? await verify(value) : COMMENT);
      } catch (error) {
        void events.return(undefined);
        throw error;
      }
    },
    cancel: () => void events.return(undefined).catch(() => {}),
  });
}

const hexOf = async (bytes: Bytes): Promise<string> => toHex(await sha256(bytes));

async function readBytes(response: Response): Promise<Bytes> {
  // React Native has no other way.
  if (!response.body) return new Uint8Array(await response.arrayBuffer());
  const chunks: Bytes[] = [];
  for await (const chunk of readChunks(response, { bytes: 0, bytesMax: BYTES_MAX })) chunks.push(chunk as Bytes);
  return join(...chunks);
}
