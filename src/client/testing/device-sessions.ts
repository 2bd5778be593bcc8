/**
 * Device sessions in memory, by the contract's rules, for the fake server:
 *
 *   start ──► live ──► replaced (another start) · ended · revoked · expired (no heartbeat for the timeout) · cloned
 *
 * An ending is final, and an ended id starts nothing. A lease keeps the key from others. For clients' tests: no persistence,
 * no fairness, no speed.
 */
import { randomBytes, randomUUID } from "node:crypto";
import type { Device, HeartbeatReply, Holder, Proof, StartReply } from "../../sessions/device/contract.ts";
import { type Ending, tellEnding } from "../../sessions/device/ending.ts";
import { ENDINGS, type EndingReason } from "../../sessions/device/endings.ts";
import { writeLease } from "../../trust/lease-token.ts";
import type { SigningKey } from "../../trust/signing-keys.ts";
import { FakeLeases } from "./leases.ts";
import { FakeProof } from "./proof.ts";

interface FakeSession {
  id: string;
  key: string;
  generation: number;
  device: Device | null;
  startedAt: number;
  lastHeartbeat: number;
  proof: FakeProof;
  ending?: Ending;
  expiry?: NodeJS.Timeout;
}

/** Status and body of an answer. */
export type FakeReply = { status: number; body: object };

export interface FakeRules {
  timeoutSeconds: number;
  heartbeatSeconds: number;
  /** The valid keys; undefined: every key is. */
  keys: string[] | undefined;
  offlineHoursMax: number;
}

export class FakeDeviceSessions {
  readonly #rules: FakeRules;
  readonly #byId = new Map<string, FakeSession>();
  readonly #holders = new Map<string, FakeSession>();
  readonly #revoked = new Set<string>();
  readonly #leases = new FakeLeases();
  /** Called once for each session that ends. */
  readonly #onEnding: (sessionId: string, ending: Ending) => void;
  #generation = Date.now() * 1000;

  constructor(rules: FakeRules, onEnding: (sessionId: string, ending: Ending) => void) {
    this.#rules = rules;
    this.#onEnding = onEnding;
  }

  start(request: Record<string, unknown>): FakeReply {
    const { access_key, session_id = randomUUID(), device = null, on_conflict, expected_generation } = request;
    const key = access_key as string;
    const proof = request.proof as Proof | undefined;
    const now = Date.now();
    if (this.#revoked.has(key)) return refusal(403, "key_revoked", "This access key has been revoked");
    if (this.#rules.keys?.includes(key) === false) return refusal(403, "invalid_key", "Invalid access key");
    const known = this.#byId.get(session_id as string);
    const holder = this.#holders.get(key);
    if (known && (known !== holder || known.key !== key)) {
      return refusal(409, "session_id_used", "This session id has been used before, please start with a new one");
    }
    if (known) {
      const refused = this.#judge(known, proof, now);
      return refused ?? { status: 200, body: this.#startReply(known, { resumed: true, previous: null, now }) };
    }
    const lease = this.#leases.against(key, request.lease as string | undefined);
    if (lease) {
      const by = { holder: holder ? seen(holder) : lease.holder, leased_until: date(lease.until) };
      return refusal(409, "key_in_use", "Another device is using this access key", by);
    }
    if (holder && on_conflict === "refuse") {
      return refusal(409, "key_in_use", "Another device is using this access key", { holder: seen(holder) });
    }
    if (holder && expected_generation !== undefined && expected_generation !== holder.generation) {
      const sentence = "Another device has taken this access key over in the meantime";
      return refusal(409, "holder_changed", sentence, { holder: seen(holder) });
    }
    this.#generation = Math.max(this.#generation + 1, now * 1000);
    const session: FakeSession = {
      id: session_id as string,
      key,
      generation: this.#generation,
      device: device as Device | null,
      startedAt: now,
      lastHeartbeat: now,
      proof: new FakeProof(proof),
    };
    this.#leases.free(key);
    if (holder) this.#finish(holder, "replaced", { replaced_by: { started_at: date(now), device } });
    this.#byId.set(session.id, session);
    this.#holders.set(key, session);
    this.#touch(session, now);
    return { status: 200, body: this.#startReply(session, { resumed: false, previous: holder ?? null, now }) };
  }

  heartbeat(sessionId: string, proof?: Proof): FakeReply {
    const session = this.#byId.get(sessionId);
    if (!session || session.ending) return over(session?.ending, proof !== undefined);
    const now = Date.now();
    return this.#judge(session, proof, now) ?? { status: 200, body: this.#beat(session, now) };
  }

  /** The first event of a watch, or the answer for a session that is not live. */
  watch(sessionId: string, withProof: boolean): FakeReply {
    const session = this.#byId.get(sessionId);
    if (!session || session.ending) return over(session?.ending, withProof);
    return { status: 200, body: this.#beat(session, Date.now()) };
  }

  /** `key`: signs the lease; undefined: the client trusts no key of ours. */
  lease(sessionId: string, hours: number, key: SigningKey | undefined, proof?: Proof): FakeReply {
    const { offlineHoursMax: hours_max } = this.#rules;
    if (!key || hours > hours_max) return refusal(409, "lease_unavailable", "No lease can be had", { hours_max });
    const session = this.#byId.get(sessionId);
    if (!session || session.ending) return over(session?.ending, proof !== undefined);
    // With proof it is a beat; without, no sign of life.
    const refused = proof || session.proof.isRequired ? this.#judge(session, proof, Date.now()) : undefined;
    if (refused) return refused;
    const lease = this.#leases.give(session.key, seen(session), hours);
    const times = { issued_at: date(lease.issuedAt), until: date(lease.until) };
    const { generation, device } = session;
    const claims = { lease_id: lease.id, key: mask(session.key), generation, device: device ?? undefined, ...times };
    return { status: 200, body: { lease: writeLease(key, claims), ...times, server_time: date(Date.now()) } };
  }

  returnLease(text: string): FakeReply {
    return { status: 200, body: { success: this.#leases.giveBack(text) } };
  }

  end(sessionId: string): FakeReply {
    const session = this.#byId.get(sessionId);
    const live = session !== undefined && !session.ending;
    if (live) this.#finish(session, "ended");
    return { status: 200, body: { success: live } };
  }

  status(key: string, sessionId: unknown): FakeReply {
    const holder = this.#holders.get(key);
    const lease = this.#leases.of(key);
    const leased = lease && { leased_until: date(lease.until) };
    if (!holder) return { status: 200, body: { active: false, ...leased } };
    const is_current = holder.id === sessionId;
    const session_id = is_current ? holder.id : mask(holder.id);
    const { expires_at } = this.#beat(holder, Date.now());
    const session = { session_id, is_current, expires_at, ...seen(holder) };
    return { status: 200, body: { active: true, ...leased, session } };
  }

  /** Ends the key's live session that way; does nothing if there is none. */
  finishHolder(key: string, reason: EndingReason): void {
    const holder = this.#holders.get(key);
    if (holder) this.#finish(holder, reason);
  }

  /** As an operator does: the key is free afterwards. */
  kick(key: string): void {
    this.#leases.free(key);
    this.finishHolder(key, "revoked");
  }

  revokeKey(key: string): void {
    this.#revoked.add(key);
    this.kick(key);
  }

  /** The id of the key's live session is in use twice from now on: the next beat of its own process is found out. */
  cloneHolder(key: string): void {
    if (!this.#holders.get(key)?.proof.clone()) {
      throw new Error("a copy is noticed only of a live session that was started with proof");
    }
  }

  /** Clears every timer. */
  stop(): void {
    for (const session of this.#byId.values()) clearTimeout(session.expiry);
  }

  #finish(session: FakeSession, reason: EndingReason, more: object = {}): void {
    session.ending = { reason, data: { ended_at: date(Date.now()), ...more } };
    clearTimeout(session.expiry);
    this.#holders.delete(session.key);
    this.#onEnding(session.id, session.ending);
  }

  /** A beat of a live session. Undefined: it is accepted, or was before. */
  #judge(session: FakeSession, proof: Proof | undefined, now: number): FakeReply | undefined {
    const verdict = session.proof.judge(proof);
    if (verdict.is === "required") {
      return refusal(409, "proof_required", "This session takes only heartbeats with proof");
    }
    if (verdict.is === "challenged") {
      const sentence = "Please answer the challenge, to prove that you are still running";
      return refusal(409, "proof_challenge", sentence, { challenge: verdict.challenge });
    }
    if (verdict.is === "copy") {
      this.#finish(session, "cloned");
      return over(session.ending, true);
    }
    if (verdict.is === "accepted") this.#touch(session, now);
    return undefined;
  }

  #touch(session: FakeSession, now: number): void {
    session.lastHeartbeat = now;
    clearTimeout(session.expiry);
    session.expiry = setTimeout(() => this.#finish(session, "expired"), this.#rules.timeoutSeconds * 1000);
    session.expiry.unref();
  }

  #beat({ generation, lastHeartbeat }: FakeSession, now: number): HeartbeatReply {
    const { timeoutSeconds, heartbeatSeconds } = this.#rules;
    const silentSeconds = (now - lastHeartbeat) / 1000;
    return {
      success: true,
      generation,
      expires_in: timeoutSeconds - silentSeconds,
      expires_at: date(lastHeartbeat + timeoutSeconds * 1000),
      heartbeat_in: Math.max(0.1, heartbeatSeconds * (1 - Math.random() / 6) - silentSeconds),
      server_time: date(now),
    };
  }

  #startReply(
    session: FakeSession,
    { resumed, previous, now }: { resumed: boolean; previous: FakeSession | null; now: number },
  ): StartReply {
    const { generation: _, ...shown } = previous ? seen(previous) : ({} as Holder);
    return {
      ...this.#beat(session, now),
      session_id: session.id,
      resumed,
      started_at: date(session.startedAt),
      previous_session_terminated: previous !== null,
      previous_session: previous && { session_id: mask(previous.id), ...shown },
    };
  }
}

/** Of a session that is not live. */
function over(ending: Ending | undefined, withProof: boolean): FakeReply {
  return ending
    ? { status: 410, body: endingBody(ending, withProof) }
    : refusal(404, "session_not_found", "Session not found or expired");
}

/** Also the data of the stream's last event. */
export function endingBody(ending: Ending, withProof: boolean): object {
  const { reason, data } = tellEnding(ending, withProof);
  return refusal(410, `session_${reason}`, ENDINGS[reason].message, data).body;
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
