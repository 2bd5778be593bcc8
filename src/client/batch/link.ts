/** The way to the batch sessions of one service. */
import { type CallLink, openCallLink } from "../calls.ts";
import { EventTail, type TailListener } from "../event-tail.ts";
import type { LinkOptions } from "../platform.ts";

/** Longer than of a device: a node's result may be 256 KiB. */
const REQUEST_TIMEOUT_MS = 10_000;

const EXPECTED = {
  refusals:
    /^(400 invalid_request|401 unauthorized|403 forbidden|404 session_not_found|409 (claimed|session_over|attempt_replaced|too_many_nodes|unknown_node|run_full|not_resumable|invalid_transition|idempotency_conflict)|413 payload_too_large)$/,
  isReply: (reply: Record<string, unknown>) => typeof reply.session_id === "string" && typeof reply.status === "string",
  /** Pages of results, and the view of a whole run. */
  bytesMax: 64 * 1024 * 1024,
};

/** Without a token; reading one run needs none. */
export function openBatchLink(options: LinkOptions & { token?: string | undefined }): CallLink {
  return openCallLink({ requestTimeoutMs: REQUEST_TIMEOUT_MS, ...options }, "/api/v1/batch/sessions", EXPECTED);
}

/** The events of one run. `lastId`: where to begin; undefined: with what happens from now on. */
export function openBatchTail(link: CallLink, sessionId: string, listener: TailListener, lastId?: string): EventTail {
  const stream = { path: `/${sessionId}/events`, last: "complete", refusals: /^404 session_not_found$/ };
  return new EventTail(link, stream, listener, lastId);
}
