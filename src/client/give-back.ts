import { sleep } from "./platform.ts";
import { type DeviceLink, post } from "./request.ts";

const GIVE_UP_MS = 3_000;
const RETRY_MS = 500;

/**
 * Ends a session at the service. Never throws; resolves to whether the service knows, after 3 s at most. The first
 * request is sent before this returns its promise, as a closing page gets no later chance.
 */
export async function giveBack(link: DeviceLink, sessionId: string): Promise<boolean> {
  const giveUpAt = link.clock.now() + GIVE_UP_MS;
  for (let now = link.clock.now(); now < giveUpAt; now = link.clock.now()) {
    const answer = await post(link, "end", { session_id: sessionId }, { timeoutMs: giveUpAt - now });
    if (answer.kind === "ok") return true;
    await sleep(link, RETRY_MS);
  }
  return false;
}
