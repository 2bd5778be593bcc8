/** The parts of the page, in the order of their links. To add one is to add it here. */
import { auditArea } from "./audit/area.ts";
import { batchArea } from "./batch/area.ts";
import { deviceArea } from "./device/area.ts";
import { gameArea } from "./game/area.ts";
import { keysArea } from "./keys/area.ts";
import type { View } from "./view.ts";
import { waitingRoomArea } from "./waiting-room/area.ts";

export const AREAS = [deviceArea, keysArea, waitingRoomArea, batchArea, gameArea, auditArea];

/** What nobody knows is what one sees first. */
export function openView(hash: string): View {
  for (const area of AREAS) {
    const view = area.open(hash);
    if (view) return view;
  }
  return deviceArea.open(deviceArea.href) as View;
}
