import type { RoomLink } from "./call.ts";

export interface StreamEvent {
  event: string;
  // biome-ignore lint/suspicious/noExplicitAny: whatever the service says; the watch looks at the event's name first
  data: any;
}

const BUFFER_CHARACTERS_MAX = 65_536;

/**
 * Follows one connection of server-sent events until it is cut; comments are told as undefined. Read with fetch, as
 * EventSource can carry no token. Rejects with a KeybeatError where it did not come about.
 */
export async function readPlaceStream(
  link: RoomLink,
  path: string,
  signal: AbortSignal,
  on: (event?: StreamEvent) => void,
): Promise<void> {
  const response = await link.open(path, signal);
  const reader = (response.body as ReadableStream<Uint8Array>).getReader();
  const decoder = new TextDecoder();
  let buffer = "";
  try {
    while (buffer.length < BUFFER_CHARACTERS_MAX) {
      const { done, value } = await reader.read();
      if (done) return;
      buffer += decoder.decode(value, { stream: true });
      const blocks = buffer.split(/\r?\n\r?\n/);
      buffer = blocks.pop() as string;
      for (const block of blocks) on(parseBlock(block));
    }
  } finally {
    // Its outcome is of no interest, but a rejection that nobody waits for would end a Node process.
    reader.cancel().catch(() => {});
  }
}

function parseBlock(block: string): StreamEvent | undefined {
  const event = /^event: ?(.*)/m.exec(block)?.[1];
  const data = /^data: ?(.*)/m.exec(block)?.[1];
  return event === undefined || data === undefined ? undefined : { event, data: JSON.parse(data) };
}
