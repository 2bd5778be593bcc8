/**
 * Server-sent events: streams that say little and stay long. One timer for all of them writes a comment every 15
 * seconds, so that nobody in between takes the connection for dead; a reader that takes nothing is let go.
 */
const COMMENT_MS = 15_000;
/** Pieces that a reader may leave untaken: some minutes of comments. */
const UNTAKEN_MAX = 16;

const HEADERS = {
  "Content-Type": "text/event-stream; charset=utf-8",
  // No-transform: a proxy that compresses would hold each event back until it has enough of them.
  "Cache-Control": "no-cache, no-transform",
  "X-Accel-Buffering": "no", // or a proxy keeps it all until the end
};

export interface EventStream {
  response: Response;
  send(event: string, data: unknown): void;
  /** Sends a last event and ends the stream. */
  finish(event: string, data: unknown): void;
  /** Ends it without a last event. */
  end(): void;
  ended(): boolean;
}

export interface EventStreams {
  /** `onClose` is called once, whoever ended it; `headers` are added to the answer's. */
  open(onClose: () => void, headers: Record<string, string>): EventStream;
  size(): number;
  /** Ends all streams, without a last event: their readers go elsewhere. */
  close(): Promise<void>;
}

export function createEventStreams(): EventStreams {
  const encoder = new TextEncoder();
  const comment = encoder.encode(":\n\n");
  const open = new Set<{ controller: ReadableStreamDefaultController<Uint8Array>; end(): void }>();

  const timer = setInterval(() => {
    for (const stream of open) {
      if ((stream.controller.desiredSize ?? 0) < -UNTAKEN_MAX) stream.end();
      else stream.controller.enqueue(comment);
    }
  }, COMMENT_MS);
  timer.unref();

  return {
    open(onClose, headers) {
      let controller!: ReadableStreamDefaultController<Uint8Array>;
      const forget = () => {
        if (!open.delete(stream)) return false;
        onClose();
        return true;
      };
      const body = new ReadableStream<Uint8Array>({
        start(given) {
          controller = given;
        },
        cancel() {
          forget();
        },
      });
      const stream = {
        controller,
        end() {
          if (forget()) controller.close();
        },
      };
      open.add(stream);
      const send = (event: string, data: unknown) => {
        if (open.has(stream)) controller.enqueue(encoder.encode(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`));
      };
      return {
        response: new Response(body, { headers: { ...HEADERS, ...headers } }),
        send,
        finish(event, data) {
          send(event, data);
          stream.end();
        },
        end: stream.end,
        ended: () => !open.has(stream),
      };
    },
    size: () => open.size,
    async close() {
      clearInterval(timer);
      for (const stream of open) stream.end();
    },
  };
}
