import type { Database } from "../../database/database.ts";
import type { RoomEvents } from "./events.ts";

/** What the verbs of the waiting room need. */
export interface WaitingRoom {
  database: Database;
  roomEvents: RoomEvents;
}
