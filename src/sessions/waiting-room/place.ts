import type { PositionReply } from "./contract.ts";

export function describeWaiter(userId: string, position: number, waitSeconds: number | null): PositionReply {
  return { user_id: userId, position, status: "queued", estimated_wait_minutes: waitMinutes(waitSeconds) };
}

/** The estimate for people: whole minutes, at least 1. Null if no seat was given up lately, so nobody knows. */
export function waitMinutes(seconds: number | null): number | null {
  return seconds === null ? null : Math.max(1, Math.ceil(seconds / 60));
}
