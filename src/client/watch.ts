/**
 * The watch stream: tells at once that the session is over. It only makes that faster: if the service lacks it, or a
 * proxy blocks, buffers or cuts it, the device learns of an ending with the next heartbeat.
 *
 * Uses fetch, as EventSource cannot send the session id in a header, and a URL is no place for a secret.
 */

import {
  type Failed,
  failed,
  REDIRECT,
  type Refusal,
  type Refused,
  readAnswer,
  readTrouble,
  retryDelayMs,
} from "./answer.ts";
import { readEvents } from "./body.ts";
import { readLoss } from "./endings.ts";
import { DEVICE_ANSWER, type DeviceLink } from "./request.ts";

/** The service writes every 15 s. */
const SILENCE_MS = 45_000;
/** A connection that lasts this long counts as good. */
const STEADY_MS = 30_000;
const FINAL_EVENT = /^(replaced|expired|ended|revoked|cloned)$/;

interface WatchListener {
  /** Data arrived, even if only a comment: the stream is alive. */
  onBytes(): void;
  /** The final event of the session. */
  onEnding(ending: Refusal): void;
}

export class Watch {
  readonly #link: DeviceLink;
  readonly #listener: WatchListener;
  #connection: AbortController | undefined;
  #openedAt = 0;
  #openAt = 0;
  #bytesAt = 0;
  #failures = 0;

  constructor(link: DeviceLink, listener: WatchListener) {
    this.#link = link;
    this.#listener = listener;
  }

  /** Opens the stream if it is not open and is due. Drops a connection that has fallen silent. */
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
    // Any other refusal, such as of a malformed request, says nothing about the session.
    if (outcome.kind === "refused" && readLoss(outcome.body)) this.#listener.onEnding(outcome.body);
    else this.#retryLater(outcome.kind === "failed" ? outcome : failed(outcome.body.code));
  }

  #retryLater(outcome: Failed): void {
    this.close();
    const now = this.#link.clock.now();
    this.#failures = now - this.#openedAt > STEADY_MS ? 0 : this.#failures + 1;
    const backoffMs = retryDelayMs(this.#link, failed(""), this.#failures);
    this.#openAt = now + Math.max(backoffMs, retryDelayMs(this.#link, outcome));
  }
}

/** Follows one connection to its end without throwing: a final event, or anything that cut it. */
async function readStream(
  link: DeviceLink,
  sessionId: string,
  signal: AbortSignal,
  onBytes: () => void,
): Promise<Refused | Failed> {
  // Whoever shows no proof hears of a copy as a revocation.
  const url = `${link.url}watch${link.proof ? "?proof=true" : ""}`;
  try {
    const response = await link.fetch(url, {
      headers: { Accept: "text/event-stream", Authorization: `Bearer ${sessionId}` },
      // A 410 cached by the browser would be about another session, as the address is the same.
      cache: "no-store",
      redirect: REDIRECT,
      signal,
    } as RequestInit);
    const type = response.headers.get("content-type") ?? "text/event-stream";
    if (response.status !== 200 || !type.startsWith("text/event-stream")) {
      const answer = await readAnswer(response, url, DEVICE_ANSWER);
      return answer.kind === "ok" ? failed("HTTP 200") : answer;
    }
    for await (const event of readEvents(response)) {
      if (!event) onBytes();
      else if (FINAL_EVENT.test(event.event)) {
        return { kind: "refused", body: { ...event.data, code: `session_${event.event}` } };
      }
    }
    return failed("closed");
  } catch (error) {
    return readTrouble(error);
  }
}
