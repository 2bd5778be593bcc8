/**
 * What the contract promises, as the plainest program that keeps it: one caller at a time, everything in memory, a
 * clock that only moves when it is told to. Written from the contract, not from the SQL that it judges.
 *
 *   live ──► replaced | expired | ended | revoked | cloned, for good
 *
 * It knows no cleanup, as a cleanup changes no answer.
 */
import type { Proof } from "../../../../src/sessions/device/contract.ts";
import { maskSessionId } from "./chain.ts";
import { acceptBeat, type Beaten, beaten, challengeBeat, judgeProof } from "./model-proof.ts";

const TIMEOUT_SECONDS = 60;

type EndingReason = "replaced" | "expired" | "ended" | "revoked" | "cloned";

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
  beaten: Beaten;
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
      proof: Proof | undefined;
    }
  | { do: "heartbeat"; sessionId: string; proof: Proof | undefined }
  | { do: "lease"; sessionId: string; seconds: number; proof: Proof | undefined }
  | { do: "return"; key: ModelKey }
  | { do: "end" | "kick"; sessionId: string }
  | { do: "status"; key: ModelKey; sessionId: string | undefined }
  | { do: "revoke" | "erase"; key: ModelKey }
  | { do: "sign-out"; key: ModelKey; expectedGeneration: number };

/** The answer to a call in the fewest words that tell two different answers apart. */
export type Answer = { is: string } & Record<string, unknown>;

export interface Reference {
  nowSeconds: number;
  readonly keys: ModelKey[];
  /** Without those that an erasure has made forgotten. */
  sessions: ModelSession[];
  holder(key: ModelKey): ModelSession | undefined;
  /** The one that holds. */
  leaseOf(key: ModelKey): ModelLease | undefined;
  pass(seconds: number): void;
  answer(call: Call): Answer;
}

export function createReference(keys: ModelKey[]): Reference {
  const reference: Reference = { nowSeconds: 0, keys, sessions: [], holder, leaseOf, pass, answer };

  function holder(key: ModelKey): ModelSession | undefined {
    return reference.sessions.find((session) => session.key === key && session.ended === undefined);
  }

  function leaseOf({ lease: last }: ModelKey): ModelLease | undefined {
    return last && !last.over && last.untilSeconds > reference.nowSeconds ? last : undefined;
  }

  const live = (sessionId: string) =>
    reference.sessions.find(({ id, ended }) => id === sessionId && ended === undefined);

  function pass(seconds: number): void {
    reference.nowSeconds += seconds;
    for (const session of reference.sessions) {
      const silent = reference.nowSeconds - session.beatAtSeconds >= TIMEOUT_SECONDS;
      if (silent && session.ended === undefined) session.ended = "expired";
    }
  }

  function answer(call: Call): Answer {
    switch (call.do) {
      case "start":
        return start(call);
      case "heartbeat":
        return heartbeat(call);
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
      case "erase":
        return erase(call.key);
      case "sign-out":
        return signOut(call);
    }
  }

  function start(call: Call & { do: "start" }): Answer {
    const { key } = call;
    const bad = findFault(key);
    if (bad) return bad;
    const held = holder(key);
    if (held?.id === call.sessionId) {
      const refused = beat(held, call.proof);
      if (refused) return refused.is === "cloned" ? { is: "session_cloned" } : refused;
      return { is: "resumed", generation: held.generation, previous: null };
    }
    if (reference.sessions.some(({ id }) => id === call.sessionId)) return { is: "session_id_used" };
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
      beaten: beaten(call.proof),
    };
    reference.sessions.push(started);
    if (key.lease) key.lease.over = true;
    if (!held) return { is: "started", previous: null };
    held.ended = "replaced";
    held.replacedBy = started;
    const { startedAt, device } = held;
    return { is: "started", previous: { id: maskSessionId(held.id), startedAt, device } };
  }

  function lease({ sessionId, seconds, proof }: Call & { do: "lease" }): Answer {
    const session = live(sessionId);
    if (!session) return { is: reference.sessions.find(({ id }) => id === sessionId)?.ended ?? "unknown" };
    const { key } = session;
    if (key.expiresAtSeconds <= reference.nowSeconds) return { is: "lease_unavailable" };
    // Without proof, of a session that has none, it is no beat.
    const refused = proof || session.beaten.last ? beat(session, proof) : undefined;
    if (refused) return refused;
    const again = leaseOf(key);
    if (again) return { is: "leased", leaseId: again.id };
    const untilSeconds = Math.min(reference.nowSeconds + seconds, key.expiresAtSeconds);
    key.lease = { id: "", session, untilSeconds, over: false };
    return { is: "leased" };
  }

  /** Undefined: accepted; a copy has ended the session. */
  function beat(session: ModelSession, proof: Proof | undefined): Answer | undefined {
    const verdict = judgeProof(session.beaten, proof);
    if (verdict === "again") return undefined;
    if (verdict === "accepted") {
      session.beatAtSeconds = reference.nowSeconds;
      acceptBeat(session.beaten, proof);
      return undefined;
    }
    if (verdict === "copy") {
      session.ended = "cloned";
      return { is: "cloned" };
    }
    if (proof && verdict === "proof_challenge") challengeBeat(session.beaten, proof);
    return { is: verdict };
  }

  function heartbeat({ sessionId, proof }: Call & { do: "heartbeat" }): Answer {
    const session = reference.sessions.find(({ id }) => id === sessionId);
    if (!session) return { is: "unknown" };
    if (session.ended === undefined) {
      return beat(session, proof) ?? { is: "live", generation: session.generation };
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

  function findFault({ known, revoked, expiresAtSeconds }: ModelKey): Answer | undefined {
    if (!known) return { is: "invalid_key" };
    if (revoked) return { is: "key_revoked" };
    return expiresAtSeconds <= reference.nowSeconds ? { is: "key_expired" } : undefined;
  }

  function signOut({ key, expectedGeneration }: Call & { do: "sign-out" }): Answer {
    const bad = findFault(key);
    if (bad) return bad;
    const held = holder(key);
    if (!held) return { is: "nobody live" };
    if (held.generation !== expectedGeneration) return { is: "holder_changed", holder: visible(held) };
    held.ended = "ended";
    return { is: "signed out" };
  }

  /** Of all that the key had, only who is live has still to be told. */
  function erase(key: ModelKey): Answer {
    if (!key.known) return { is: "unknown" };
    const held = holder(key);
    if (held) held.ended = "revoked";
    reference.sessions = reference.sessions.filter((session) => session.key !== key || session === held);
    Object.assign(key, { known: false, lease: undefined });
    return { is: "erased" };
  }

  const visible = ({ generation, startedAt, device }: ModelSession) => ({ generation, startedAt, device });

  return reference;
}
