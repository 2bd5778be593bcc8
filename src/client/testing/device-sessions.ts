/**
 * Device sessions in memory, by the contract's rules, for the fake server:
 *
 *   start ──► live ──► replaced (another start) · ended · revoked · expired (no heartbeat for the timeout)
 *
 * An ending is final, and an ended id starts nothing. For clients' tests: no persistence, no fairness, no speed.
 */
import { randomBytes, randomUUID } from "node:crypto";
import type { Device, HeartbeatReply, Holder, StartReply } from "../../sessions/device/contract.ts";
import { ENDINGS, type EndingReason } from "../../sessions/device/endings.ts";

interface FakeSession {
  id: string;
  key: string;
  generation: number;
  device: Device | null;
  startedAt: number;
  lastHeartbeat: number;
  ending?: { reason: EndingReason; body: Record<string, unknown> };
  expiry?: NodeJS.Timeout;
}

/** Status and body of an answer. */
export type FakeReply = { status: number; body: object };

export interface FakeRules {
  timeoutSeconds: number;
  heartbeatSeconds: number;
  /** The valid keys; undefined: every key is. */
  keys: string[] | undefined;
}

export class FakeDeviceSessions {
  readonly #rules: FakeRules;
  readonly #byId = new Map<string, FakeSession>();
  readonly #holders = new Map<string, FakeSession>();
  readonly #revoked = new Set<string>();
  /** Called once for each session that ends, with the body of its 410. */
  readonly #onEnding: (sessionId: string, reason: EndingReason, body: object) => void;
  #generation = Date.now() * 1000;

  constructor(rules: FakeRules, onEnding: (sessionId: string, reason: EndingReason, body: object) => void) {
    this.#rules = rules;
    this.#onEnding = onEnding;
  }

  start(request: Record<string, unknown>): FakeReply {
    const { access_key, session_id = randomUUID(), device = null, on_conflict, expected_generation } = request;
    const key = access_key as string;
    if (this.#revoked.has(key)) return refusal(403, "key_revoked", "This access key has been revoked");
    if (this.#rules.keys?.includes(key) === false) return refusal(403, "invalid_key", "Invalid access key");
    const known = this.#byId.get(session_id as string);
    const holder = this.#holders.get(key);
    if (known && (known !== holder || known.key !== key)) {
      return refusal(409, "session_id_used", "This session id has been used before, please start with a new one");
    }
    if (known) {
      this.#touch(known);
      return { status: 200, body: this.#startReply(known, null, true) };
    }
    if (holder && on_conflict === "refuse") {
      return refusal(409, "key_in_use", "Another device is using this access key", { holder: seen(holder) });
    }
    if (holder && expected_generation !== undefined && expected_generation !== holder.generation) {
      const sentence = "Another device has taken this access key over in the meantime";
      return refusal(409, "holder_changed", sentence, { holder: seen(holder) });
    }
    const now = Date.now();
    this.#generation = Math.max(this.#generation + 1, now * 1000);
    const session: FakeSession = {
      id: session_id as string,
      key,
      generation: this.#generation,
      device: device as Device | null,
      startedAt: now,
      lastHeartbeat: now,
    };
    if (holder) this.#finish(holder, "replaced", { replaced_by: { started_at: date(now), device } });
    this.#byId.set(session.id, session);
    this.#holders.set(key, session);
    this.#touch(session);
    return { status: 200, body: this.#startReply(session, holder ?? null, false) };
  }

  heartbeat(sessionId: string): FakeReply {
    const session = this.#byId.get(sessionId);
    if (!session) return refusal(404, "session_not_found", "Session not found or expired");
    if (session.ending) return { status: 410, body: session.ending.body };
    this.#touch(session);
    return { status: 200, body: this.#beat(session) };
  }

  /** The first event of a watch, or the answer for a session that is not live. */
  watch(sessionId: string): FakeReply {
    const session = this.#byId.get(sessionId);
    return session && !session.ending ? { status: 200, body: this.#beat(session) } : this.heartbeat(sessionId);
  }

  end(sessionId: string): FakeReply {
    const session = this.#byId.get(sessionId);
    const live = session !== undefined && !session.ending;
    if (live) this.#finish(session, "ended");
    return { status: 200, body: { success: live } };
  }

  status(key: string, sessionId: unknown): FakeReply {
    const holder = this.#holders.get(key);
    if (!holder) return { status: 200, body: { active: false } };
    const is_current = holder.id === sessionId;
    const session_id = is_current ? holder.id : mask(holder.id);
    const { expires_at } = this.#beat(holder);
    return { status: 200, body: { active: true, session: { session_id, is_current, expires_at, ...seen(holder) } } };
  }

  /** Ends the key's live session that way; does nothing if there is none. */
  finishHolder(key: string, reason: EndingReason): void {
    const holder = this.#holders.get(key);
    if (holder) this.#finish(holder, reason);
  }

  revokeKey(key: string): void {
    this.#revoked.add(key);
    this.finishHolder(key, "revoked");
  }

  /** Clears every timer. */
  stop(): void {
    for (const session of this.#byId.values()) clearTimeout(session.expiry);
  }

  #finish(session: FakeSession, reason: EndingReason, more: object = {}): void {
    const body = {
      ...refusal(410, `session_${reason}`, ENDINGS[reason].message).body,
      ended_at: date(Date.now()),
      ...more,
    };
    session.ending = { reason, body };
    clearTimeout(session.expiry);
    this.#holders.delete(session.key);
    this.#onEnding(session.id, reason, body);
  }

  #touch(session: FakeSession): void {
    session.lastHeartbeat = Date.now();
    clearTimeout(session.expiry);
    session.expiry = setTimeout(() => this.#finish(session, "expired"), this.#rules.timeoutSeconds * 1000);
    session.expiry.unref();
  }

  #beat({ generation, lastHeartbeat }: FakeSession): HeartbeatReply {
    const { timeoutSeconds, heartbeatSeconds } = this.#rules;
    return {
      success: true,
      generation,
      expires_in: timeoutSeconds,
      expires_at: date(lastHeartbeat + timeoutSeconds * 1000),
      heartbeat_in: heartbeatSeconds * (1 - Math.random() / 6),
      server_time: date(Date.now()),
    };
  }

  #startReply(session: FakeSession, previous: FakeSession | null, resumed: boolean): StartReply {
    const { generation: _, ...shown } = previous ? seen(previous) : ({} as Holder);
    return {
      ...this.#beat(session),
      session_id: session.id,
      resumed,
      started_at: date(session.startedAt),
      previous_session_terminated: previous !== null,
      previous_session: previous && { session_id: mask(previous.id), ...shown },
    };
  }
}

export function refusal(status: number, code: string, error: string, data: object = {}): FakeReply {
  return { status, body: { error, code, request_id: newRequestId(), ...data } };
}

function seen({ startedAt, lastHeartbeat, generation, device }: FakeSession): Holder {
  return { started_at: date(startedAt), last_heartbeat: date(lastHeartbeat), generation, device };
}

const mask = (id: string) => `${id.slice(0, 8)}…`;
const date = (time: number) => new Date(time).toISOString();

export const newRequestId = () => randomBytes(8).toString("hex");
