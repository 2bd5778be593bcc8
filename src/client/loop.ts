/**
 * Keeps a session live, and notices when it is lost.
 *
 *                   heartbeat fails                deadline
 *   live ◄────────────────────────────► degraded ───────────► lost: unreachable ──┐ heartbeats go on:
 *    │ ▲            heartbeat works                                               │ live again, or one of these
 *    │ └─ start with "refuse", new id ── lost: expired ◄──────────────────────────┤
 *    └──────── 404/410, final event ──── lost: replaced, ended, revoked (final) ◄─┘
 *
 * One function, #tick, looks at the clock and does what is due; timers, bytes on the stream and a waking page only
 * call it. So late timers and throttled tabs need no rules of their own: in a hidden tab, where browsers let timers fire
 * once a minute, the stream's comments keep the session live.
 */

import type { HeartbeatReply, StartReply } from "../sessions/device/contract.ts";
import { type Failed, failed, type Refusal, retryDelayMs } from "./answer.ts";
import type { Claimed } from "./claim.ts";
import { readLoss, UNREACHABLE } from "./endings.ts";
import type { LostEvent } from "./events.ts";
import { giveBack } from "./give-back.ts";
import type { Handle } from "./handle.ts";
import type { StartOptions } from "./options.ts";
import { newSessionId } from "./platform.ts";
import { type DeviceLink, post } from "./request.ts";
import type { StoredId } from "./storage.ts";
import { StreamTurn } from "./stream-turn.ts";
import type { Leases } from "./trust/leases.ts";
import { Wakefulness } from "./wakefulness.ts";
import { Watch } from "./watch.ts";

const TICK_MS = 2_000;
/** A day, the service's longest timeout. */
const TIMEOUT_MS_MAX = 86_400_000;
/** Streams of all tabs of an origin together; the other connections to the service are for everything else. */
const STREAMS_MAX = 2;
const NEVER = Number.POSITIVE_INFINITY;

export interface LoopParts {
  link: DeviceLink;
  options: StartOptions;
  handle: Handle;
  storedId: StoredId;
  /** Where the app may carry on offline. */
  leases?: Leases | undefined;
  /** Called with each acknowledged heartbeat, and how long it is good for. */
  onAcknowledged?(deadlineInMs: number): void;
}

export class SessionLoop {
  /** Fires when the session was ended, or lost for good. */
  readonly over = new AbortController();
  readonly #parts: LoopParts;
  readonly #link: DeviceLink;
  readonly #handle: Handle;
  readonly #watch: Watch;
  readonly #turn: StreamTurn;
  readonly #wakefulness: Wakefulness;
  #sessionId = "";
  /** If set, the session has expired, and this is the id to come back with. */
  #returnId: string | undefined;
  #returns = 0;
  /** When the key may become somebody else's, by the monotonic clock. */
  #deadline = 0;
  #asking: AbortController | undefined;
  #askAt = 0;
  #failures = 0;
  #timer: unknown;

  constructor(parts: LoopParts) {
    this.#parts = parts;
    this.#link = parts.link;
    this.#handle = parts.handle;
    this.#wakefulness = new Wakefulness(parts.link.clock);
    this.#turn = new StreamTurn({ name: parts.link.url, max: STREAMS_MAX, onChange: () => this.#tick() });
    this.#watch = new Watch(parts.link, {
      onBytes: () => {
        this.#turn.tell();
        this.#tick(true);
      },
      onEnding: (ending) => {
        this.#refused(ending);
        this.#tick();
      },
    });
  }

  /** Takes over the session from a start. */
  begin({ sessionId, reply, sentAt }: Claimed): void {
    this.#started(sessionId, reply, sentAt);
    this.#tick();
  }

  /** Goes on by a lease, without a session; `sessionId`: of the start that got no answer. */
  beginOffline(sessionId: string): void {
    this.#returnId = sessionId;
    this.#askAt = this.#link.clock.now() + retryDelayMs(this.#link, failed(""));
    this.#goOffline();
    this.#tick();
  }

  /** Takes over a session that another tab kept live so far: no start, but a heartbeat at once. */
  adopt(sessionId: string, deadlineInMs: number): void {
    this.#sessionId = sessionId;
    this.#deadline = this.#link.clock.now() + deadlineInMs;
    this.check();
  }

  /** Asks the service now, whatever was planned. */
  check(): void {
    this.#askAt = this.#link.clock.now();
    this.#tick();
  }

  /** Closes the stream, which would keep a page from being frozen. The next tick opens it again. */
  pause(): void {
    this.#watch.close();
    this.#turn.leave();
  }

  /** Lets go of the session without an event or a request. */
  stop(): void {
    this.over.abort();
    this.#link.timers.clearTimeout(this.#timer);
    this.#cancelAsking();
    this.pause();
  }

  /** Ends the session, unless it is over. */
  async end(): Promise<void> {
    if (this.over.signal.aborted) return;
    this.stop();
    this.#handle.close();
    const known = await giveBack(this.#link, this.#returnId ?? this.#sessionId);
    // Otherwise keep the id, so that a restarted app finds its own session instead of a stranger's.
    if (known) await this.#parts.storedId.forget();
  }

  #tick(streamLives = false): void {
    if (this.over.signal.aborted) return;
    const { clock, timers } = this.#link;
    const now = clock.now();
    timers.clearTimeout(this.#timer);
    this.#noticeSleep(now, streamLives);
    this.#checkHold(now);
    // The app may have ended it in its listener.
    if (this.over.signal.aborted) return;
    if (this.#holdsKey()) {
      if (this.#turn.isMine()) this.#watch.keepOpen(this.#sessionId);
      else this.#watch.close();
    }
    if (!this.#asking && now >= this.#askAt) void this.#ask(now);
    const dueAt = Math.min(this.#asking ? NEVER : this.#askAt, this.#holdsKey() ? this.#deadline : NEVER);
    this.#timer = timers.setTimeout(() => this.#tick(), Math.min(dueAt - now, TICK_MS));
  }

  /** Past the deadline a lease may hold the key, as long as it holds itself. */
  #checkHold(now: number): void {
    const hold = this.#parts.leases?.look();
    if (this.#holdsKey() && now >= this.#deadline) {
      if (hold === "held") this.#goOffline();
      else this.#lose(UNREACHABLE);
    } else if (this.#handle.session.state === "offline" && hold !== "held") {
      this.#lose({ ...UNREACHABLE, reason: "expired", code: hold ?? null });
    }
  }

  #goOffline(): void {
    const { generation, until } = (this.#parts.leases as Leases).claims;
    this.pause();
    this.#handle.tell({ type: "offline", until, generation }, this.#returnId);
  }

  #noticeSleep(now: number, streamLives: boolean): void {
    const missedMs = this.#wakefulness.readMissedMs();
    if (missedMs === undefined) return;
    // Requests under way did not survive the sleep.
    this.#cancelAsking();
    if (!streamLives) this.#watch.close();
    this.#askAt = now;
    // Some monotonic clocks stand still during sleep. If the wall clock says that the deadline has passed, allow one
    // request's time to disprove it: if the clock was merely set forward, the first answer does.
    if (now + missedMs > this.#deadline) this.#deadline = Math.min(this.#deadline, now + this.#link.requestTimeoutMs);
  }

  #holdsKey(): boolean {
    return /live|degraded/.test(this.#handle.session.state);
  }

  #cancelAsking(): void {
    this.#asking?.abort();
    this.#asking = undefined;
  }

  /** A heartbeat or, if the session has expired, a start that harms nobody. */
  async #ask(sentAt: number): Promise<void> {
    const asking = new AbortController();
    this.#asking = asking;
    const { accessKey: access_key, device } = this.#parts.options;
    const lease = this.#parts.leases?.text;
    const returning = this.#returnId !== undefined;
    const session_id = this.#returnId ?? this.#sessionId;
    const answer = await post<StartReply | HeartbeatReply>(
      this.#link,
      returning ? "start" : "heartbeat",
      returning ? { access_key, session_id, device, on_conflict: "refuse", lease } : { session_id },
      { abort: asking },
    );
    // Ended, lost or checked again meanwhile: this answer is outdated.
    if (this.#asking !== asking) return;
    this.#asking = undefined;
    if (answer.kind === "refused") this.#refused(answer.body);
    else if (answer.kind === "failed") this.#failed(answer);
    else if (returning) this.#started(session_id, answer.body as StartReply, sentAt);
    else this.#beaten(answer.body, sentAt);
    this.#tick();
  }

  #started(sessionId: string, reply: StartReply, sentAt: number): void {
    const recovered = this.#handle.session.state === "lost";
    this.#sessionId = sessionId;
    this.#returnId = undefined;
    this.#acknowledged(reply, sentAt);
    const { generation, resumed, previous_session: previous } = reply;
    this.#parts.leases?.sessionIs(generation);
    this.#handle.tell({ type: "live", generation, resumed, recovered, previous }, sessionId);
  }

  #beaten({ generation, ...reply }: HeartbeatReply, sentAt: number): void {
    const { state } = this.#handle.session;
    this.#returns = 0;
    this.#acknowledged(reply, sentAt);
    if (state === "degraded") this.#handle.tell({ type: "recovered" });
    // The service forgave the silence, after an outage of its own say: nobody else held the key.
    if (state === "lost" || state === "offline") {
      this.#handle.tell({ type: "live", generation, resumed: true, recovered: state === "lost", previous: null });
    }
  }

  #acknowledged(reply: { expires_in: number; heartbeat_in: number; server_time: string }, sentAt: number): void {
    this.#parts.leases?.heard(reply.server_time);
    const timeoutMs = Math.min(reply.expires_in * 1000, TIMEOUT_MS_MAX);
    this.#deadline = sentAt + timeoutMs - Math.min(1000, timeoutMs / 10);
    // Whatever the service asks for, neither loop tightly nor wait too long to retry before the deadline.
    const soonestMs = Math.min(Math.max(timeoutMs / 8, 250), 1000);
    this.#askAt = sentAt + Math.min(Math.max(reply.heartbeat_in * 1000, soonestMs), timeoutMs * 0.75);
    this.#failures = 0;
    this.#parts.onAcknowledged?.(this.#deadline - this.#link.clock.now());
  }

  #failed(answer: Failed): void {
    const { session } = this.#handle;
    const now = this.#link.clock.now();
    this.#askAt = now + retryDelayMs(this.#link, answer, this.#holdsKey() ? 0 : this.#failures++);
    if (session.state !== "live") return;
    this.#handle.tell({ type: "degraded", error: answer.error, deadlineInMs: this.#deadline - now });
  }

  #refused(refusal: Refusal): void {
    const loss = readLoss(refusal);
    this.#cancelAsking();
    if (loss?.final) {
      this.stop();
      // The other endings free the key.
      if (!/ended|cloned/.test(loss.reason)) void this.#parts.leases?.drop();
      void this.#parts.storedId.forget();
      this.#handle.tell(loss);
    } else if (loss) {
      if (this.#holdsKey()) this.#lose(loss);
      this.#comeBack();
    } else if (refusal.code === "session_id_used" && this.#handle.session.state === "offline") {
      this.#comeBack();
    } else if (refusal.code === "session_id_used" && this.#returnId) {
      // That start got through, its answer was lost, and the session is over again. A heartbeat tells how.
      this.#sessionId = this.#returnId;
      this.#returnId = undefined;
      this.#askAt = this.#link.clock.now();
    } else {
      this.#failed(failed(refusal.code));
    }
  }

  #lose(loss: LostEvent): void {
    this.pause();
    this.#handle.tell(loss);
  }

  #comeBack(): void {
    if (this.over.signal.aborted) return;
    this.#returnId = newSessionId();
    void this.#parts.storedId.write(this.#returnId);
    // At once, but without looping if the service lets every session expire.
    const delayMs = this.#returns++ > 0 ? retryDelayMs(this.#link, failed("expired again")) : 0;
    this.#askAt = this.#link.clock.now() + delayMs;
  }
}
