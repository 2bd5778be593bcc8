/**
 * Reads answers within bounds: a server, or anything answering in its place, may send without end, and compressed data
 * grows as it is read. Everything the service says is far shorter.
 */
const BYTES_MAX = 65_536;

interface Bound {
  /** Read so far. */
  bytes: number;
  bytesMax: number;
}

/** The body piece by piece. Throws when it gets too long, even in many short pieces; a stream is then reopened. */
export async function* readChunks(response: Response, bound: Bound): AsyncGenerator<Uint8Array> {
  const reader = (response.body as ReadableStream<Uint8Array>).getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      bound.bytes += value.length;
      if (bound.bytes > bound.bytesMax) throw new Error("too long an answer");
      yield value;
    }
  } finally {
    // The outcome does not matter, but an unhandled rejection would end a Node process.
    reader.cancel().catch(() => {});
  }
}

async function* readPieces(response: Response, bound: Bound): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  for await (const chunk of readChunks(response, bound)) yield decoder.decode(chunk, { stream: true });
}

/** The body as an object; empty if it is not one. Throws if it cannot be read. */
// biome-ignore lint/suspicious/noExplicitAny: any answer of the service; the caller checks it
export async function readJson(response: Response, bytesMax = BYTES_MAX): Promise<Record<string, any>> {
  let text = "";
  // React Native has no other way.
  if (!response.body) text = await response.text();
  else for await (const piece of readPieces(response, { bytes: 0, bytesMax })) text += piece;
  try {
    return Object(JSON.parse(text));
  } catch {
    return {};
  }
}

export interface StreamEvent {
  /** What a reader that comes back names, to hear what came after it. */
  id?: string | undefined;
  event: string;
  // biome-ignore lint/suspicious/noExplicitAny: any event of the service; the reader checks its name first
  data: any;
  /** The same as it came. */
  text: string;
  /** Of a service that signs; see src/trust/README.md. */
  signature?: string | undefined;
}

/**
 * Yields server-sent events as they come, and undefined with each piece that arrives, even a comment. Reads each
 * character once, however small the pieces are. Throws on malformed events. `eventBytesMax`: how long one event may be, of a
 * stream that has no end; without it the whole stream is bounded.
 */
export async function* readEvents(response: Response, eventBytesMax?: number): AsyncGenerator<StreamEvent | undefined> {
  const bound = { bytes: 0, bytesMax: eventBytesMax ?? BYTES_MAX };
  let block: string[] = [];
  let begun = "";
  for await (const piece of readPieces(response, bound)) {
    yield undefined;
    const lines = piece.split("\n");
    const last = lines.pop() as string;
    for (const rest of lines) {
      const line = begun + rest;
      begun = "";
      if (line !== "" && line !== "\r") {
        block.push(line);
        continue;
      }
      const [event, data, id, signature] = ["event:", "data:", "id:", "signature:"].map((name) =>
        readField(block, name),
      );
      block = [];
      if (eventBytesMax) bound.bytes = 0;
      if (event && data) yield { id, event, data: Object(JSON.parse(data)), text: data, signature };
    }
    begun += last;
  }
}

const readField = (lines: string[], name: string) =>
  lines
    .find((line) => line.startsWith(name))
    ?.slice(name.length)
    .trim();

/** Whole seconds, as the contract says, and at most a minute. A date would need the wall clock, which proves nothing. */
export const readRetryAfter = (headers: Headers): number =>
  Math.min(Number(/^\d{1,9}$/.exec(headers.get("retry-after") ?? "")), 60);
