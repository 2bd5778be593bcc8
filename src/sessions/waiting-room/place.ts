import type { PositionReply } from "./contract.ts";

export function describeWaiter(userId: string, position: number, waitSeconds: number | null): PositionReply {
  return { user_id: userId, position, status: "queued", estimated_wait_minutes: waitMinutes(waitSeconds) };
}

/** As people are told: whole minutes, 1 at least. Null: no seat was given up of late, so nobody knows. */
export function waitMinutes(seconds: number | null): number | null {
  return seconds === null ? null : Math.max(1, Math.ceil(seconds / 60));
}
