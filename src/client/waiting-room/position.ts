import type { PositionReply } from "../../sessions/waiting-room/contract.ts";
import type { RoomLink } from "./call.ts";

/** Where the user stands. Asking keeps the place, and claims a seat that has come up. */
export const askPosition = (link: RoomLink, userId: string) =>
  link.call<PositionReply>("GET", `/position/${encodeURIComponent(userId)}`, { expects: isPlace });

/** Whether it has the shape of the service's answer about a place. */
export const isPlace = ({ status, position }: Partial<PositionReply>): boolean =>
  status === "active" || (status === "queued" && Number.isSafeInteger(position));
