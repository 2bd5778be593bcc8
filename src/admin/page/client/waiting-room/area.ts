import type { Area } from "../view.ts";
import { createUserView } from "./user-view.ts";
import { createWaitingRoomView } from "./waiting-room-view.ts";

export const waitingRoomArea: Area = {
  link: "Waiting room",
  href: "#/waiting-room",
  open(hash) {
    if (hash === "#/waiting-room") return createWaitingRoomView();
    const user = readUser(hash);
    return user === undefined ? undefined : createUserView(user);
  },
};

/** Undefined also where an address that was cut off is no text any more. */
function readUser(hash: string): string | undefined {
  const user = /^#\/waiting-room\/users\/(.+)$/.exec(hash)?.[1];
  try {
    return user && decodeURIComponent(user);
  } catch {
    return undefined;
  }
}
