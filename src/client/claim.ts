/**
 * Claims the key: asks until the outcome is known, always with the same session id, so that a start whose answer was
 * lost is found again (`resumed`) instead of made twice.
 */
import type { Holder, StartReply, StartRequest } from "../sessions/device/contract.ts";
import { failed, type Refused, retryDelayMs, tellUnreachable } from "./answer.ts";
import { KeybeatError, type KeybeatErrorCode } from "./error.ts";
import type { StartOptions } from "./options.ts";
import { newSessionId, sleep } from "./platform.ts";
import { type DeviceLink, post } from "./request.ts";
import type { StoredId } from "./storage.ts";

/** The answer to a start, and when (by the monotonic clock) its request was sent. */
export type Claimed = { sessionId: string; reply: StartReply; sentAt: number };

/** Starts by the caller's rule for conflicts, with the lease if there is one. If it throws a KeybeatError, this device holds nothing. */
export async function claimKey(
  link: DeviceLink,
  options: StartOptions,
  storedId: StoredId,
  lease?: string,
): Promise<Claimed> {
  const { accessKey: access_key, device, onConflict = "replace" } = options;
  const ask = onConflict === "ask" ? options.ask : undefined;
  let stored = await storedId.read();
  let session_id = stored ?? newSessionId();
  let agreed: Holder | undefined;
  try {
    for (let round = 0; ; round++) {
      // Holders change as fast as a person can say yes; or a server says so for ever.
      if (round > 2) await sleep(link, retryDelayMs(link, failed("")));
      await storedId.write(session_id);
      const claimed = await insist(link, options.startTimeoutMs ?? 20_000, {
        access_key,
        session_id,
        device,
        on_conflict: onConflict === "replace" || agreed ? "replace" : "refuse",
        expected_generation: agreed?.generation,
        lease,
      });
      if ("reply" in claimed) return { sessionId: session_id, ...claimed };
      const { code, error, holder } = claimed.body;
      // Nor is a session with proof for a process without.
      if (/^(session_id_used|proof_required)$/.test(code) && stored) {
        stored = undefined;
        session_id = newSessionId();
      } else if (ask && holder && (await ask(holder))) {
        agreed = holder;
      } else {
        throw new KeybeatError((holder ? "key_in_use" : code) as KeybeatErrorCode, error, claimed.body);
      }
    }
  } catch (error) {
    const unknown = error instanceof KeybeatError && error.code === "unreachable";
    if (!unknown) void storedId.forget();
    // It may have got through all the same. Only a storage lets the next start find it.
    else if (!options.storage) void post(link, "end", { session_id });
    throw error;
  }
}

/** Repeats the same request until the service answers or time is up. */
async function insist(
  link: DeviceLink,
  withinMs: number,
  request: StartRequest,
): Promise<Omit<Claimed, "sessionId"> | Refused> {
  const giveUpAt = link.clock.now() + withinMs;
  for (;;) {
    const sentAt = link.clock.now();
    const timeoutMs = Math.min(link.requestTimeoutMs, giveUpAt - sentAt);
    const answer = await post<StartReply>(link, "start", request, { timeoutMs });
    if (answer.kind === "ok") return { reply: answer.body, sentAt };
    if (answer.kind === "refused") return answer;
    const delayMs = retryDelayMs(link, answer);
    if (answer.lasting || link.clock.now() + delayMs >= giveUpAt) throw tellUnreachable(`${link.url}start`, answer);
    await sleep(link, delayMs);
  }
}
