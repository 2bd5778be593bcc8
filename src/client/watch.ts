/**
 * The watch stream: tells at once that the session is over. Only an accelerator: a service or a proxy without it, one
 * that buffers it for ever, one that cuts it, all mean no more than that an ending is learned with the next heartbeat.
 *
 * Read with fetch, as EventSource cannot send the session id in a header, and a URL is no place for a secret.
 */
import type { Link } from "./platform.ts";
import { type Failed, failed, type Refusal, type Refused, readAnswer, retryDelayMs } from "./request.ts";

/** The service writes every 15 s. */
const SILENCE_MS = 45_000;
/** A connection that lasted this long was a good one. */
const STEADY_MS = 30_000;
const BUFFER_CHARACTERS_MAX = 65_536;
const FINAL_EVENT = /^(replaced|expired|ended|revoked)$/;

interface WatchListener {
  /** Something has come, be it a comment: the stream lives. */
  onBytes(): void;
  /** The service's last word on the session. */
  onEnding(ending: Refusal): void;
}

export class Watch {
  readonly #link: Link;
  readonly #listener: WatchListener;
  #connection: AbortController | undefined;
  #openedAt = 0;
  #openAt = 0;
  #bytesAt = 0;
  #failures = 0;

  constructor(link: Link, listener: WatchListener) {
    this.#link = link;
    this.#listener = listener;
  }

  /** Opens the stream if it is not open and its time has come. A connection that has fallen silent is given up. */
  keepOpen(sessionId: string): void {
    const now = this.#link.clock.now();
    if (this.#connection && now - this.#bytesAt > SILENCE_MS) this.#retryLater(failed("silence"));
    if (!this.#connection && now >= this.#openAt) void this.#follow(sessionId, now);
  }

  close(): void {
    this.#connection?.abort();
    this.#connection = undefined;
  }

  async #follow(sessionId: string, now: number): Promise<void> {
    const connection = new AbortController();
    this.#connection = connection;
    this.#openedAt = this.#bytesAt = now;
    const outcome = await readStream(this.#link, sessionId, connection.signal, () => {
      this.#bytesAt = this.#link.clock.now();
      this.#listener.onBytes();
    });
    if (this.#connection !== connection) return;
    if (outcome.kind === "refused") this.#listener.onEnding(outcome.body);
    else this.#retryLater(outcome);
  }

  #retryLater(outcome: Failed): void {
    this.close();
    const now = this.#link.clock.now();
    this.#failures = now - this.#openedAt > STEADY_MS ? 0 : this.#failures + 1;
    this.#openAt = now + retryDelayMs(this.#link, outcome, this.#failures);
  }
}

/** Follows one connection to its end, without throwing: the service's last word, or anything else that cut it. */
async function readStream(
  link: Link,
  sessionId: string,
  signal: AbortSignal,
  onBytes: () => void,
): Promise<Refused | Failed> {
  try {
    const response = await link.fetch(`${link.url}watch`, {
      headers: { Accept: "text/event-stream", Authorization: `Bearer ${sessionId}` },
      // A 410 kept by the browser would speak about another session: the address is the same.
      cache: "no-store",
      redirect: "error",
      signal,
    } as RequestInit);
    if (response.status === 200) return await readEvents(response, onBytes);
    const answer = await readAnswer(response, "watch");
    return answer.kind === "ok" ? failed("HTTP 200") : answer;
  } catch {
    return failed("cut");
  }
}

async function readEvents(response: Response, onBytes: () => void): Promise<Refused | Failed> {
  const reader = (response.body as ReadableStream<Uint8Array>).getReader();
  const decoder = new TextDecoder();
  let buffer = "";
  try {
    while (buffer.length < BUFFER_CHARACTERS_MAX) {
      const { done, value } = await reader.read();
      if (done) break;
      onBytes();
      buffer += decoder.decode(value, { stream: true });
      const blocks = buffer.split(/\r?\n\r?\n/);
      buffer = blocks.pop() as string;
      for (const block of blocks) {
        const ending = readEnding(block);
        if (ending) return { kind: "refused", body: ending };
      }
    }
    return failed("closed");
  } finally {
    // Its outcome is of no interest, but a rejection that nobody waits for would end a Node process.
    reader.cancel().catch(() => {});
  }
}

function readEnding(block: string): Refusal | undefined {
  const event = /^event: ?(.*)/m.exec(block)?.[1] ?? "";
  if (!FINAL_EVENT.test(event)) return undefined;
  const data = /^data: ?(.*)/m.exec(block)?.[1] ?? "";
  return { ...JSON.parse(data), code: `session_${event}` };
}
