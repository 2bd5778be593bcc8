/** A device's requests, and which answers to them are the service's own (see answer.ts). */
import { type Answer, type Expected, send } from "./answer.ts";
import type { Link } from "./platform.ts";
import type { Proof } from "./trust/proof.ts";

/** The way to the device sessions. */
export interface DeviceLink extends Link {
  /** Where the app takes part: shows that all beats come from one process. */
  proof?: Proof | undefined;
}

/** The shortest timeout that is believed. */
const EXPIRES_IN_MIN = 0.5;

export const DEVICE_ANSWER: Expected = {
  refusals:
    /^(400 invalid_request|403 (invalid_key|key_expired|key_revoked)|404 session_not_found|409 (key_in_use|holder_changed|session_id_used|proof_challenge|proof_required)|410 session_[a-z]+)$/,
  isReply(body, status, url) {
    if (status !== 200) return false;
    if (url.endsWith("/end")) return typeof body.success === "boolean";
    const { expires_in, heartbeat_in } = body;
    return (
      body.success === true &&
      Number.isSafeInteger(body.generation) &&
      Number.isFinite(expires_in) &&
      Number.isFinite(heartbeat_in) &&
      (expires_in as number) >= EXPIRES_IN_MIN &&
      (heartbeat_in as number) > 0
    );
  },
};

export function post<T>(
  link: DeviceLink,
  path: "start" | "heartbeat" | "end",
  body: object,
  { timeoutMs, abort = new AbortController() }: { timeoutMs?: number; abort?: AbortController } = {},
): Promise<Answer<T>> {
  const ask = (proven: object) => {
    const init = {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(proven),
      // Lets the last `end` of a closing page get through.
      keepalive: path === "end",
    };
    return send<T>(link, link.url + path, init, DEVICE_ANSWER, { timeoutMs, abort });
  };
  return link.proof && path !== "end" ? link.proof.send(body, ask, abort.signal) : ask(body);
}
