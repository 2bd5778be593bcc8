/**
 * Follows one user's place.
 *
 *   stream open ──── cut, refused, silent for 45 s ────► asks every 5 s (5, 10 … 40 s while that fails too),
 *        ▲ └─ a seat: asks every 15 s, to keep it          tries the stream again after 1 s, 2 s … 30 s
 *        └──────────────────────────────────────────────────────────────┘
 *
 * One function, #tick, looks at the clock and does what is due; timers, bytes on the stream and a waking page only call
 * it, so late timers and throttled tabs need no rules of their own.
 */
import type { DepartureEvent, PositionReply } from "../../sessions/waiting-room/contract.ts";
import type { StreamEvent } from "../body.ts";
import type { KeybeatError } from "../error.ts";
import { StreamTurn } from "../stream-turn.ts";
import { tellApp } from "../tell-app.ts";
import { asKeybeatError, type RoomLink } from "./call.ts";
import { askPosition, isPlace } from "./position.ts";
import { readPlaceStream } from "./stream.ts";

export type PlaceEvent =
  /** Where the user stands: at first, on every change, and once after an error. */
  | ({ type: "position" } & PositionReply)
  /** A seat came up during this watch, and was claimed. */
  | { type: "promoted"; user_id: string }
  /** The place is gone, and the watch over. Reason and time are null if only its absence was noticed. */
  | { type: "closed" | "expired"; user_id: string; reason: DepartureEvent["reason"] | null; at: string | null }
  /** Asking fails: reported once, until it works again. The watch goes on. */
  | { type: "error"; error: KeybeatError };

export interface WatchOptions {
  /** False: polls only, until `stream(true)`. Of several tabs one holds the stream in any case. Default true. */
  stream?: boolean;
}

const POLL_MS = 5_000;
/** The pause after one failure; it doubles with each further one. */
const POLL_MS_MAX = 40_000;
/** Less than a leaving page's grace: the same user may be on another device. */
const KEEP_SEAT_MS = 15_000;
/** An answer may overtake the stream, which knows how the place was lost. */
const LAST_WORD_MS = 2_000;
/** The service writes every 15 s. */
const SILENCE_MS = 45_000;
const STREAM_RETRY_MS_MAX = 30_000;
/** A connection that lasts this long counts as good. */
const STEADY_MS = 30_000;
/** Between two claims, however often the stream reports a promotion. */
const ASK_AGAIN_MS = 1_000;
const NEVER = Number.POSITIVE_INFINITY;

export class PlaceWatch {
  readonly #link: RoomLink;
  readonly #userId: string;
  readonly #on: (event: PlaceEvent) => void;
  #over = false;
  #paused = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #told: PositionReply | undefined;
  /** In a row. */
  #failures = 0;

  #wantsStream: boolean;
  #connection: AbortController | undefined;
  /** Set once the first event has come. */
  #streamLives = false;
  readonly #turn: StreamTurn;
  #openedAt = 0;
  #bytesAt = 0;
  #openAt = 0;
  #cuts = 0;

  #asking = false;
  /** As soon as it may. */
  #askSoon = false;
  #askedAt = 0;
  #askNotBefore = 0;
  #claimedAt = -ASK_AGAIN_MS;

  constructor(link: RoomLink, userId: string, on: (event: PlaceEvent) => void, { stream = true }: WatchOptions) {
    this.#link = link;
    this.#userId = userId;
    this.#on = on;
    this.#wantsStream = stream;
    // One stream serves all tabs: a tab without it polls, and hears of the user's turn a few seconds later.
    this.#turn = new StreamTurn({ name: link.base, max: 1, onChange: () => this.#tick() });
    // The first position comes from the stream; without one, from the first answer.
    this.#askedAt = performance.now();
    this.#askSoon = !stream || !this.#turn.isMine();
    queueMicrotask(() => this.#tick());
  }

  /** Asks now, whatever was planned: the page is visible again, or the network is back. */
  check(): void {
    this.#askSoon = true;
    this.#askNotBefore = this.#openAt = 0;
    this.#tick();
  }

  /** Whether to hold the event stream; without it, the watch asks every 5 s. */
  stream(wanted: boolean): void {
    this.#wantsStream = wanted;
    if (!wanted) this.#giveStreamUp();
    this.#tick();
  }

  /** Sends nothing until `resume`; for a page in the back/forward cache. */
  pause(): void {
    this.#paused = true;
    this.#giveStreamUp();
    clearTimeout(this.#timer);
  }

  resume(): void {
    this.#paused = false;
    this.check();
  }

  /** Stops watching. The place is kept until the service has heard nothing for its timeout. */
  stop(): void {
    this.#over = true;
    this.#giveStreamUp();
    clearTimeout(this.#timer);
  }

  #tick(): void {
    if (this.#over || this.#paused) return;
    clearTimeout(this.#timer);
    const now = performance.now();
    const streams = this.#wantsStream && this.#turn.isMine();
    if (!streams) this.#hangUp();
    if (this.#connection && now - this.#bytesAt > SILENCE_MS) this.#cut(now);
    if (streams && !this.#connection && now >= this.#openAt) void this.#follow(now);
    if (!this.#asking && now >= this.#askAt()) void this.#ask(now);
    const dueAt = Math.min(
      this.#asking ? NEVER : this.#askAt(),
      this.#connection ? this.#bytesAt + SILENCE_MS + 1 : streams ? this.#openAt : NEVER,
    );
    this.#timer = setTimeout(() => this.#tick(), Math.min(Math.max(dueAt - now, 10), SILENCE_MS));
  }

  #askAt(): number {
    if (this.#askSoon) return this.#askNotBefore;
    const everyMs = !this.#streamLives ? POLL_MS : this.#told?.status === "active" ? KEEP_SEAT_MS : NEVER;
    return Math.max(this.#askedAt + everyMs, this.#askNotBefore);
  }

  async #ask(now: number): Promise<void> {
    this.#asking = true;
    this.#askSoon = false;
    this.#askedAt = now;
    try {
      this.#learn(await askPosition(this.#link, this.#userId));
    } catch (error) {
      this.#failed(error as KeybeatError);
    }
    this.#asking = false;
    this.#tick();
  }

  async #follow(now: number): Promise<void> {
    const connection = new AbortController();
    this.#connection = connection;
    this.#openedAt = this.#bytesAt = now;
    const path = `/events/${encodeURIComponent(this.#userId)}`;
    const refusal = await readPlaceStream(this.#link, path, connection.signal, (event) => {
      if (this.#connection === connection) this.#hear(event);
    })
      .catch(asKeybeatError)
      .catch((error: KeybeatError) => error);
    if (this.#connection !== connection) return;
    this.#cut(performance.now(), refusal?.data.retry_after_seconds as number | undefined);
    if (refusal?.code === "user_not_found") this.#failed(refusal);
    this.#tick();
  }

  #hear(event: StreamEvent | undefined): void {
    this.#bytesAt = performance.now();
    this.#turn.tell();
    if (event?.event === "position" && isPlace(event.data)) {
      this.#streamLives = true;
      this.#learn(event.data);
    } else if (event?.event === "promoted") {
      this.#claim();
    } else if (event?.event === "closed" || event?.event === "expired") {
      this.#finish({ type: event.event, ...event.data });
    }
    this.#tick();
  }

  /** The answer is what is told. */
  #claim(): void {
    const now = performance.now();
    if (now < this.#claimedAt + ASK_AGAIN_MS) return;
    this.#claimedAt = now;
    this.#askSoon = true;
    this.#askNotBefore = 0;
  }

  #learn(place: PositionReply): void {
    if (this.#over) return;
    const before = this.#told;
    this.#told = place;
    if (this.#failures === 0 && JSON.stringify(before) === JSON.stringify(place)) return;
    this.#failures = 0;
    if (before?.status === "queued" && place.status === "active")
      this.#tell({ type: "promoted", user_id: place.user_id });
    else this.#tell({ type: "position", ...place });
  }

  #failed(error: KeybeatError): void {
    if (this.#over) return;
    if (error.code === "user_not_found") {
      const finish = () => this.#finish({ type: "expired", user_id: this.#userId, reason: null, at: null });
      if (this.#streamLives) setTimeout(finish, LAST_WORD_MS);
      else finish();
      return;
    }
    const retryAfterMs = 1000 * ((error.data.retry_after_seconds as number | undefined) ?? 0);
    const backoffMs = Math.min(POLL_MS * 2 ** this.#failures, POLL_MS_MAX);
    this.#askNotBefore = performance.now() + Math.max(backoffMs, retryAfterMs) * (1 + Math.random() / 2);
    if (this.#failures++ === 0) this.#tell({ type: "error", error });
  }

  #finish(event: PlaceEvent): void {
    if (this.#over) return;
    this.stop();
    this.#tell(event);
  }

  #tell(event: PlaceEvent): void {
    tellApp(() => this.#on(event));
  }

  #cut(now: number, retryAfterSeconds = 0): void {
    this.#hangUp();
    if (now - this.#openedAt > STEADY_MS) this.#cuts = 0;
    const backoffMs = Math.min(1000 * 2 ** this.#cuts++, STREAM_RETRY_MS_MAX);
    // Jitter, so that clients dropped by one process do not return all at once.
    this.#openAt = now + Math.max(backoffMs, retryAfterSeconds * 1000) * (1 + Math.random() / 2);
  }

  #giveStreamUp(): void {
    this.#hangUp();
    this.#turn.leave();
  }

  #hangUp(): void {
    const connection = this.#connection;
    this.#connection = undefined;
    this.#streamLives = false;
    connection?.abort();
  }
}
