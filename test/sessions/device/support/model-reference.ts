/**
 * What the contract promises, as the plainest program that keeps it: one caller at a time, everything in memory, a
 * clock that only moves when it is told to. Written from the contract, not from the SQL that it judges.
 *
 *   live ──► replaced | expired | ended | revoked, for good
 *
 * It knows no cleanup, as a cleanup changes no answer.
 */
import { maskSessionId } from "./chain.ts";

const TIMEOUT_SECONDS = 60;

type EndingReason = "replaced" | "expired" | "ended" | "revoked";

export interface ModelKey {
  accessKey: string;
  /** As operators name it. */
  id: number;
  known: boolean;
  revoked: boolean;
  /** By the model's clock. */
  expiresAtSeconds: number;
  generation: number;
  /** The last one, over or not. */
  lease?: ModelLease | undefined;
}

/** Keeps everybody else from starting, and makes nobody live. */
export interface ModelLease {
  /** Only the program can name it. */
  id: string;
  session: ModelSession;
  untilSeconds: number;
  over: boolean;
}

export interface ModelSession {
  id: string;
  key: ModelKey;
  device: { name: string } | null;
  beatAtSeconds: number;
  /** These two only the program can name; the story learns them from the start's answer. */
  generation: number;
  startedAt: string;
  ended?: EndingReason;
  replacedBy?: ModelSession;
}

/** Everything that a call may ask for, with ids and keys filled in. */
export type Call =
  | {
      do: "start";
      key: ModelKey;
      sessionId: string;
      refuse: boolean;
      expectedGeneration: number | undefined;
      device: { name: string } | null;
      leaseId: string | undefined;
    }
  | { do: "lease"; sessionId: string; seconds: number }
  | { do: "return"; key: ModelKey }
  | { do: "heartbeat" | "end" | "kick"; sessionId: string }
  | { do: "status"; key: ModelKey; sessionId: string | undefined }
  | { do: "revoke"; key: ModelKey };

/** The answer to a call in the fewest words that tell two different answers apart. */
export type Answer = { is: string } & Record<string, unknown>;

export interface Reference {
  nowSeconds: number;
  readonly keys: ModelKey[];
  readonly sessions: ModelSession[];
  holder(key: ModelKey): ModelSession | undefined;
  pass(seconds: number): void;
  answer(call: Call): Answer;
}

export function createReference(keys: ModelKey[]): Reference {
  const sessions: ModelSession[] = [];
  const reference: Reference = { nowSeconds: 0, keys, sessions, holder, pass, answer };

  function holder(key: ModelKey): ModelSession | undefined {
    return sessions.find((session) => session.key === key && session.ended === undefined);
  }

  /** The one that holds. */
  const leaseOf = ({ lease: last }: ModelKey): ModelLease | undefined =>
    last && !last.over && last.untilSeconds > reference.nowSeconds ? last : undefined;

  const live = (sessionId: string) => sessions.find(({ id, ended }) => id === sessionId && ended === undefined);

  function pass(seconds: number): void {
    reference.nowSeconds += seconds;
    for (const session of sessions) {
      const silent = reference.nowSeconds - session.beatAtSeconds >= TIMEOUT_SECONDS;
      if (silent && session.ended === undefined) session.ended = "expired";
    }
  }

  function answer(call: Call): Answer {
    switch (call.do) {
      case "start":
        return start(call);
      case "heartbeat":
        return heartbeat(call.sessionId);
      case "end": {
        const session = live(call.sessionId);
        if (session) session.ended = "ended";
        return { is: session ? "ended" : "not live" };
      }
      case "kick": {
        const session = live(call.sessionId);
        if (session) session.ended = "revoked";
        const lease = keys.map(leaseOf).find((held) => held?.session.id === call.sessionId);
        if (lease) lease.over = true;
        return { is: session || lease ? "kicked" : "unknown" };
      }
      case "lease":
        return lease(call);
      case "return": {
        const held = leaseOf(call.key);
        if (held) held.over = true;
        return { is: held ? "returned" : "no lease" };
      }
      case "status":
        return status(call.key, call.sessionId);
      case "revoke": {
        if (!call.key.known) return { is: "unknown" };
        const session = holder(call.key);
        if (session) session.ended = "revoked";
        call.key.revoked = true;
        if (call.key.lease) call.key.lease.over = true;
        return { is: "revoked", sessionRevoked: session !== undefined };
      }
    }
  }

  function start(call: Call & { do: "start" }): Answer {
    const { key } = call;
    if (!key.known) return { is: "invalid_key" };
    if (key.revoked) return { is: "key_revoked" };
    if (key.expiresAtSeconds <= reference.nowSeconds) return { is: "key_expired" };
    const held = holder(key);
    if (held?.id === call.sessionId) {
      held.beatAtSeconds = reference.nowSeconds;
      return { is: "resumed", generation: held.generation, previous: null };
    }
    if (sessions.some(({ id }) => id === call.sessionId)) return { is: "session_id_used" };
    const lease = leaseOf(key);
    if (lease && lease.id !== call.leaseId) {
      const { generation, device } = held ?? lease.session;
      return { is: "key_in_use", leased: true, holder: { generation, device } };
    }
    if (held && call.refuse) return { is: "key_in_use", holder: visible(held) };
    if (held && call.expectedGeneration !== undefined && call.expectedGeneration !== held.generation) {
      return { is: "holder_changed", holder: visible(held) };
    }
    const started: ModelSession = {
      id: call.sessionId,
      key,
      device: call.device,
      beatAtSeconds: reference.nowSeconds,
      generation: Number.NaN,
      startedAt: "",
    };
    sessions.push(started);
    if (key.lease) key.lease.over = true;
    if (!held) return { is: "started", previous: null };
    held.ended = "replaced";
    held.replacedBy = started;
    const { startedAt, device } = held;
    return { is: "started", previous: { id: maskSessionId(held.id), startedAt, device } };
  }

  function lease({ sessionId, seconds }: Call & { do: "lease" }): Answer {
    const session = live(sessionId);
    if (!session) return { is: sessions.find(({ id }) => id === sessionId)?.ended ?? "unknown" };
    const { key } = session;
    if (key.expiresAtSeconds <= reference.nowSeconds) return { is: "lease_unavailable" };
    const again = leaseOf(key);
    if (again) return { is: "leased", leaseId: again.id };
    const untilSeconds = Math.min(reference.nowSeconds + seconds, key.expiresAtSeconds);
    key.lease = { id: "", session, untilSeconds, over: false };
    return { is: "leased" };
  }

  function heartbeat(sessionId: string): Answer {
    const session = sessions.find(({ id }) => id === sessionId);
    if (!session) return { is: "unknown" };
    if (session.ended === undefined) {
      session.beatAtSeconds = reference.nowSeconds;
      return { is: "live", generation: session.generation };
    }
    if (!session.replacedBy) return { is: session.ended };
    const { startedAt, device } = session.replacedBy;
    return { is: session.ended, endedAt: startedAt, by: { startedAt, device } };
  }

  function status(key: ModelKey, sessionId: string | undefined): Answer {
    const held = holder(key);
    const leased = leaseOf(key) !== undefined;
    if (!held) return { is: "inactive", leased };
    const own = held.id === sessionId;
    return { is: "active", leased, own, id: own ? held.id : maskSessionId(held.id), ...visible(held) };
  }

  const visible = ({ generation, startedAt, device }: ModelSession) => ({ generation, startedAt, device });

  return reference;
}
