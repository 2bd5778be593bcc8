/**
 * Server-sent events: long-lived streams that say little. One timer writes a comment to all of them every 15 seconds,
 * so that no proxy takes a connection for dead; a reader that takes nothing is dropped.
 */
import { unavailable } from "../errors.ts";

const COMMENT_MS = 15_000;
/** Pieces that a reader may leave unread: some minutes of comments. */
const UNTAKEN_MAX = 16;
/** Streams of one session or user: a device has one, or briefly a few when its network comes and goes. */
const SAME_MAX = 8;

const HEADERS = {
  "Content-Type": "text/event-stream; charset=utf-8",
  // No-transform: a compressing proxy would hold events back until it has enough of them.
  "Cache-Control": "no-cache, no-transform",
  "X-Accel-Buffering": "no", // or nginx buffers the stream
};

interface Open {
  controller: ReadableStreamDefaultController<Uint8Array>;
  end(): void;
}

export interface EventStream {
  response: Response;
  send(event: string, data: unknown): void;
  /** Sends what writeEvent has made; the same for many streams is made once. */
  sendWritten(event: Uint8Array): void;
  /** Whether its reader takes what it is sent. One that does not may be given the rest later. */
  keepsUp(): boolean;
  /** Sends a last event and ends the stream. */
  finish(event: string, data: unknown): void;
  /** Ends it without a last event. */
  end(): void;
  ended(): boolean;
}

export interface EventStreams {
  /**
   * `onClose` is called once, whichever side ends the stream; `headers` are added to the answer's. One `subject` may have
   * a few: one more ends its oldest, whose reader may have gone unnoticed. Throws `unavailable` if there are too many in
   * all, or all have been ended.
   */
  open(onClose: () => void, headers: Record<string, string>, subject?: string): EventStream;
  size(): number;
  /** Ends all streams without a last event; their readers go elsewhere. */
  close(): Promise<void>;
}

const encoder = new TextEncoder();

/** One piece of a stream: http/sign-answers.ts adds a line to each. With an `id`, a reader that comes back says after which it goes on (Last-Event-ID). */
export function writeEvent(event: string, data: unknown, id?: number): Uint8Array {
  const idLine = id === undefined ? "" : `id: ${id}\n`;
  return encoder.encode(`${idLine}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
}

/** `max`: how many streams in all. Each takes a connection that others may need. */
export function createEventStreams(max = Number.POSITIVE_INFINITY): EventStreams {
  const comment = encoder.encode(":\n\n");
  const open = new Set<Open>();
  /** Oldest first. */
  const ofSubject = new Map<string, Open[]>();
  let closed = false;

  const enter = (stream: Open, subject: string | undefined) => {
    open.add(stream);
    if (subject === undefined) return;
    const same = ofSubject.get(subject) ?? [];
    ofSubject.set(subject, same);
    same.push(stream);
    if (same.length > SAME_MAX) same[0]?.end();
  };
  const leave = (stream: Open, subject: string | undefined): boolean => {
    if (!open.delete(stream)) return false;
    const same = subject === undefined ? undefined : ofSubject.get(subject);
    same?.splice(same.indexOf(stream), 1);
    if (same?.length === 0) ofSubject.delete(subject as string);
    return true;
  };

  const timer = setInterval(() => {
    for (const stream of open) {
      if ((stream.controller.desiredSize ?? 0) < -UNTAKEN_MAX) stream.end();
      else stream.controller.enqueue(comment);
    }
  }, COMMENT_MS);
  timer.unref();

  return {
    open(onClose, headers, subject) {
      if (closed) throw unavailable(new Error("the streams have been ended, as the service stops"));
      if (open.size >= max) throw unavailable(new Error(`${max} streams are open already`));
      let controller!: ReadableStreamDefaultController<Uint8Array>;
      const forget = () => {
        if (!leave(stream, subject)) return false;
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
      enter(stream, subject);
      const sendWritten = (event: Uint8Array) => {
        if (open.has(stream)) controller.enqueue(event);
      };
      const send = (event: string, data: unknown) => sendWritten(writeEvent(event, data));
      return {
        response: new Response(body, { headers: { ...HEADERS, ...headers } }),
        send,
        sendWritten,
        keepsUp: () => (controller.desiredSize ?? 0) > -UNTAKEN_MAX / 2,
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
      closed = true;
      clearInterval(timer);
      for (const stream of open) stream.end();
    },
  };
}
