/**
 * Server-sent events as they come, `undefined` for a comment. Each character is looked at once, however small the pieces
 * are that it comes in. Read with fetch, as EventSource can send no header.
 */
export interface StreamEvent {
  event: string;
  data: string;
}

const BLOCK_CHARACTERS_MAX = 65_536;

/** Ends where the stream does, and where one event grows too long. Rejects where the connection breaks. */
export async function* readEventStream(
  response: Response,
  onBytes: () => void = () => {},
): AsyncGenerator<StreamEvent | undefined> {
  const reader = (response.body as ReadableStream<Uint8Array>).getReader();
  const decoder = new TextDecoder();
  let block: string[] = [];
  let begun = "";
  let length = 0;
  try {
    while (length < BLOCK_CHARACTERS_MAX) {
      const { done, value } = await reader.read();
      if (done) return;
      onBytes();
      const lines = decoder.decode(value, { stream: true }).split("\n");
      for (const [at, piece] of lines.entries()) {
        begun += piece;
        length += piece.length;
        if (at === lines.length - 1) break;
        const line = begun.replace(/\r$/, "");
        begun = "";
        if (line !== "") block.push(line);
        else {
          yield parseBlock(block);
          block = [];
          length = 0;
        }
      }
    }
  } finally {
    // Its outcome is of no interest, but a rejection that nobody waits for would end a Node process.
    reader.cancel().catch(() => {});
  }
}

function parseBlock(lines: string[]): StreamEvent | undefined {
  const event = find(lines, "event:");
  const data = find(lines, "data:");
  return event === undefined || data === undefined ? undefined : { event, data };
}

const find = (lines: string[], name: string) =>
  lines
    .find((line) => line.startsWith(name))
    ?.slice(name.length)
    .replace(/^ /, "");
