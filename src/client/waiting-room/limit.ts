/** Permits: work that runs only while the user holds one of the room's permits for requests at once. */
import type { PermitReply, PositionReply } from "../../sessions/waiting-room/contract.ts";
import { KeybeatError } from "../error.ts";
import { onAbort } from "../on-abort.ts";
import type { RoomLink } from "./call.ts";

export interface LimitOptions {
  /** How long to wait for a permit, in ms. Default 0. After every 30 s the wait starts again at the end of the line. */
  waitMs?: number;
  /** Aborts the work, or the wait for a permit. */
  signal?: AbortSignal;
}

/** Asks where the user stands. */
type Check = (userId: string) => Promise<PositionReply>;

const ONE_WAIT_MS_MAX = 30_000;
const SEAT_CHECK_MS = 5_000;
const REFUSED_PAUSE_MS = 2_000;
const RETURN_TRIES = 3;
const RETURN_PAUSE_MS = 1_000;

export async function processWithLimit<T>(
  link: RoomLink,
  checkPosition: Check,
  userId: string,
  fn: (signal: AbortSignal) => T | Promise<T>,
  { waitMs = 0, signal }: LimitOptions,
): Promise<T> {
  signal?.throwIfAborted();
  const abort = new AbortController();
  const stopFollowing = signal && onAbort(signal, () => abort.abort(signal.reason));
  const calledOff = new Promise<never>((_, reject) => {
    abort.signal.addEventListener("abort", () => reject(abort.signal.reason));
  });
  calledOff.catch(() => {}); // otherwise an unhandled rejection
  try {
    const asked = requestPermit(link, userId, waitMs, abort.signal);
    // Aborted while waiting: if a permit is already on its way, it is given back on arrival.
    const { permit_id } = await Promise.race([asked, calledOff]).catch((error) => {
      asked.then((late) => returnPermit(link, late.permit_id)).catch(() => {});
      throw error;
    });
    const stopChecking = checkSeat(() => checkPosition(userId), abort);
    try {
      return await Promise.race([(async () => fn(abort.signal))(), calledOff]);
    } finally {
      stopChecking();
      await returnPermit(link, permit_id);
    }
  } finally {
    stopFollowing?.();
  }
}

async function requestPermit(
  link: RoomLink,
  userId: string,
  waitMs: number,
  signal: AbortSignal,
): Promise<PermitReply> {
  const giveUpAt = performance.now() + waitMs;
  for (;;) {
    const askedAt = performance.now();
    const restMs = Math.max(0, Math.round(giveUpAt - askedAt));
    const oneMs = Math.min(restMs, ONE_WAIT_MS_MAX);
    try {
      const body = { user_id: userId, wait_ms: oneMs };
      const expects = ({ permit_id }: PermitReply) => typeof permit_id === "string";
      return await link.call<PermitReply>("POST", "/requests", { body, waitMs: oneMs, expects });
    } catch (error) {
      const full = error instanceof KeybeatError && error.code === "too_many_requests";
      if (!full || restMs <= ONE_WAIT_MS_MAX || signal.aborted) throw error;
      // If the service did not wait as asked, pause before asking again.
      const restOfPauseMs = askedAt + REFUSED_PAUSE_MS - performance.now();
      await new Promise((resolve) => setTimeout(resolve, restOfPauseMs));
    }
  }
}

/** Keeps the seat during long work, and aborts the work if the seat is lost: somebody else may have the permit then. */
function checkSeat(ask: () => ReturnType<Check>, abort: AbortController): () => void {
  const check = async () => {
    try {
      if ((await ask()).status === "active") return;
    } catch (error) {
      if ((error as KeybeatError).code !== "user_not_found") return; // trouble on the way says nothing about the seat
    }
    abort.abort(new KeybeatError("not_active", "The user has lost the seat, and the permit with it"));
  };
  const timer = setInterval(check, SEAT_CHECK_MS);
  return () => clearInterval(timer);
}

/** Never throws, and waits only for the first try: a permit that cannot be given back dies by itself. */
async function returnPermit(link: RoomLink, permitId: string, tries = RETURN_TRIES): Promise<void> {
  try {
    await link.call("DELETE", `/requests/${permitId}`, { keepalive: true });
  } catch {
    if (tries > 1) setTimeout(() => void returnPermit(link, permitId, tries - 1), RETURN_PAUSE_MS);
  }
}
