/**
 * What an answer brings, in bounds: a server, or whatever answers in its place, may send without end, and what is
 * compressed grows as it is read. Everything the service says is far shorter.
 */
const BYTES_MAX = 65_536;

/** The body piece by piece. Throws when it gets too long, also of many short pieces: a stream is then opened anew. */
async function* readPieces(response: Response): AsyncGenerator<string> {
  const reader = (response.body as ReadableStream<Uint8Array>).getReader();
  const decoder = new TextDecoder();
  let bytes = 0;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      bytes += value.length;
      if (bytes > BYTES_MAX) throw new Error("too long an answer");
      yield decoder.decode(value, { stream: true });
    }
  } finally {
    // Its outcome is of no interest, but a rejection that nobody waits for would end a Node process.
    reader.cancel().catch(() => {});
  }
}

/** The object that the body stands for; an empty one where it is none. Throws where it cannot be read. */
// biome-ignore lint/suspicious/noExplicitAny: whatever the service says; who asks looks at it
export async function readJson(response: Response): Promise<Record<string, any>> {
  let text = "";
  // React Native knows no other way.
  if (!response.body) text = await response.text();
  else for await (const piece of readPieces(response)) text += piece;
  try {
    return Object(JSON.parse(text));
  } catch {
    return {};
  }
}

export interface StreamEvent {
  event: string;
  // biome-ignore lint/suspicious/noExplicitAny: whatever the service says; who follows looks at the event's name first
  data: any;
}

/**
 * Server-sent events as they come; undefined with each piece that comes, be it a comment. Each character is looked at
 * once, however small the pieces are. Throws where they are broken.
 */
export async function* readEvents(response: Response): AsyncGenerator<StreamEvent | undefined> {
  let block: string[] = [];
  let begun = "";
  for await (const piece of readPieces(response)) {
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
      const [event, data] = [readField(block, "event:"), readField(block, "data:")];
      block = [];
      if (event && data) yield { event, data: Object(JSON.parse(data)) };
    }
    begun += last;
  }
}

const readField = (lines: string[], name: string) =>
  lines
    .find((line) => line.startsWith(name))
    ?.slice(name.length)
    .trim();

/** Whole seconds as the contract has them. A date would need the wall clock, which proves nothing. At most a minute. */
export const readRetryAfter = (headers: Headers): number =>
  Math.min(Number(/^\d{1,9}$/.exec(headers.get("retry-after") ?? "")), 60);
