/**
 * What is recorded of the load: every call as its caller saw it, and nothing that the caller could not see. The checker
 * judges by this alone, so an answer that could not be understood is kept as such, and never dropped.
 */

export type EndingReason = "replaced" | "expired" | "ended" | "revoked" | "cloned";

export type Operation = "start" | "heartbeat" | "end" | "status" | "watch" | "kick" | "lease" | "return";

/** One call. Times are milliseconds on performance.now() of the process that called. */
export interface Call {
  operation: Operation;
  /** The key's id. */
  key: number;
  /** The session that the call was about, "" for a status that named none; their first 8 characters are unique, so that masked ones are known. */
  sessionId: string;
  /** Which of the servers; -1: the operator's command line, which needs none. */
  server: number;
  sentAt: number;
  answeredAt: number;
  /** Of the HTTP answer; 0: there was none. */
  status: number;
  answer: Answer;
  /** What a start asked for beyond the usual. */
  refuse?: boolean;
  expectedGeneration?: number;
  /** Of a start or a heartbeat of a process that proves that it runs. */
  proof?: ProofSent;
  /** The lease that a start comes with, or that is given back. */
  leaseId?: string;
}

export interface ProofSent {
  instance: string;
  number: number;
  beatId: string;
  /** Whether it answers a challenge. */
  answers: boolean;
}

export type Answer =
  /** 503, no answer in time, a cut connection: it may have happened, or not. */
  | { is: "unknown"; why: "503" | "timeout" | "cut" }
  | { is: "started"; generation: number; resumed: boolean; previous: string | null; startedAt: number }
  /** A start's 4xx. `holderGeneration`: of the session that it says is in the way; `leasedUntil`: of a lease, on the database's clock. */
  | { is: "refused"; code: string; holderGeneration?: number; leasedUntil?: number }
  /** A heartbeat's 200, a watch's first event. */
  | { is: "live"; generation: number }
  /** A 410, a watch's last event. `endedAt` in milliseconds of the database's clock; `by`: the name of the device. */
  | { is: "ended"; reason: EndingReason; endedAt: number; by?: string; asRevoked?: true }
  /** Live, and this call was no sign of life: 409 proof_challenge, 409 proof_required. */
  | { is: "challenged"; challenge: string }
  | { is: "proof-required" }
  /** On the database's clock. */
  | { is: "leased"; lease: string; leaseId: string; issuedAt: number; until: number }
  | { is: "returned"; success: boolean }
  | { is: "not-found" }
  /** Of an end or a kick: whether this call ended it. */
  | { is: "done"; success: boolean }
  | { is: "inactive" }
  | { is: "active"; sessionId: string; isCurrent: boolean; generation: number }
  /** Nothing that this operation may answer. */
  | { is: "unexpected"; what: string };

/** A watch stream that was open for a while. */
export interface Stream {
  key: number;
  sessionId: string;
  server: number;
  openedAt: number;
  closedAt: number;
  /** Whether it closed with the ending, and was not cut. */
  told: boolean;
}

/** What a call is about, before it is sent. */
export type Asked = Pick<
  Call,
  "operation" | "key" | "sessionId" | "server" | "refuse" | "expectedGeneration" | "proof" | "leaseId"
>;

/** Two processes with one session id, which run both from then on. */
export interface Copied {
  key: number;
  sessionId: string;
  from: number;
}

/** A little over the 3 seconds that the service promises (G8), so that a late answer is seen and not cut off. */
export const GIVE_UP_MS = 3_500;

/** What a device is called, by the session that it starts. */
export const deviceName = (sessionId: string): string => `device ${sessionId.slice(0, 8)}`;

export const maskSessionId = (sessionId: string): string => `${sessionId.slice(0, 8)}…`;

/** Undefined: no JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const IN_USE_TWICE = "This session's id is in use on two devices";

function leaseIdOf(lease: unknown): string {
  const claims = parseJson(Buffer.from(String(lease).split(".")[0] ?? "", "base64url").toString("utf8"));
  return String((claims as { lease_id?: unknown } | undefined)?.lease_id);
}

const millis = (moment: unknown): number => Date.parse(String(moment));

/** The answer in the fewest words that the checker needs; `body` is whatever the server sent. */
// biome-ignore lint/suspicious/noExplicitAny: a body of unknown shape is what this function is for
export function readAnswer(operation: Operation, status: number, body: any): Answer {
  const unexpected: Answer = { is: "unexpected", what: `${status} ${JSON.stringify(body)?.slice(0, 200)}` };
  if (status === 503) return { is: "unknown", why: "503" };
  if (body === null || typeof body !== "object") return unexpected;
  if (status === 409 && body.code === "proof_challenge") return { is: "challenged", challenge: body.challenge };
  if (status === 409 && body.code === "proof_required") return { is: "proof-required" };
  if (status === 410 && body.code === "session_cloned") {
    return { is: "ended", reason: "cloned", endedAt: millis(body.ended_at) };
  }
  if (operation === "start") {
    if (status === 403 || status === 409) {
      return {
        is: "refused",
        code: body.code,
        ...(body.holder && { holderGeneration: body.holder.generation }),
        ...(body.leased_until && { leasedUntil: millis(body.leased_until) }),
      };
    }
    if (status !== 200 || body.success !== true) return unexpected;
    const { generation, resumed, started_at, previous_session } = body;
    return {
      is: "started",
      generation,
      resumed,
      startedAt: millis(started_at),
      previous: previous_session?.session_id ?? null,
    };
  }
  if (operation === "end") {
    return status === 200 && typeof body.success === "boolean" ? { is: "done", success: body.success } : unexpected;
  }
  if (operation === "status") {
    if (status !== 200) return unexpected;
    if (body.active === false) return { is: "inactive" };
    const { session_id, is_current, generation } = body.session;
    return { is: "active", sessionId: session_id, isCurrent: is_current, generation };
  }
  if (operation === "return") {
    return status === 200 && typeof body.success === "boolean" ? { is: "returned", success: body.success } : unexpected;
  }
  if (operation === "lease" && status === 200) {
    const { lease, issued_at, until } = body;
    return { is: "leased", lease, leaseId: leaseIdOf(lease), issuedAt: millis(issued_at), until: millis(until) };
  }
  if (status === 200) return { is: "live", generation: body.generation };
  if (status === 404 && body.code === "session_not_found") return { is: "not-found" };
  const reason = /^session_(replaced|expired|ended|revoked)$/.exec(String(body.code))?.[1];
  if (status !== 410 || reason === undefined) return unexpected;
  // A copy, in the words for those whose beats have no proof.
  if (reason === "revoked" && body.reason === IN_USE_TWICE) {
    return { is: "ended", reason: "cloned", endedAt: millis(body.ended_at), asRevoked: true };
  }
  const by = body.replaced_by?.device?.name;
  return { is: "ended", reason: reason as EndingReason, endedAt: millis(body.ended_at), ...(by && { by }) };
}
