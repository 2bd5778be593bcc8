/** Reads streams of server-sent events, as a device or a page does. */
export interface WatchedEvent {
  event: string;
  // biome-ignore lint/suspicious/noExplicitAny: whatever the server says; the tests look at it
  data: any;
  /** On performance.now(). */
  at: number;
}

export interface Watch {
  status: number;
  events: WatchedEvent[];
  /** Resolves when the stream has ended, with its last event. */
  done: Promise<WatchedEvent | undefined>;
  stop(): void;
}

/** Watches a device session. */
export function watch(url: string, sessionId: string): Promise<Watch> {
  return watchStream(`${url}/api/session/watch`, { Authorization: `Bearer ${sessionId}` });
}

/** Resolves when the stream is open and its first event is there, or with the refusal. */
export async function watchStream(address: string, headers: Record<string, string> = {}): Promise<Watch> {
  const abort = new AbortController();
  const response = await fetch(address, { headers, signal: abort.signal });
  const events: WatchedEvent[] = [];
  const watched = { status: response.status, events, stop: () => abort.abort() };
  if (response.status !== 200) {
    events.push({ event: "refused", data: await response.json(), at: performance.now() });
    return { ...watched, done: Promise.resolve(events[0]) };
  }
  let opened = () => {};
  const first = new Promise<void>((resolve) => {
    opened = resolve;
  });
  const done = readEvents(response, (event) => {
    events.push(event);
    opened();
  }).then(() => {
    opened();
    return events.at(-1);
  });
  await first;
  return { ...watched, done };
}

async function readEvents(response: Response, onEvent: (event: WatchedEvent) => void): Promise<void> {
  const decoder = new TextDecoder();
  let text = "";
  try {
    for await (const chunk of response.body as AsyncIterable<Uint8Array>) {
      text += decoder.decode(chunk, { stream: true });
      const blocks = text.split("\n\n");
      text = blocks.pop() ?? "";
      for (const block of blocks) {
        const event = /^event: (.*)$/m.exec(block)?.[1];
        const data = /^data: (.*)$/m.exec(block)?.[1];
        if (event && data) onEvent({ event, data: JSON.parse(data), at: performance.now() });
      }
    }
  } catch {
    // cut off: what was read stands
  }
}
