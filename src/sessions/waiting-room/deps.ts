import type { Database } from "../../database/database.ts";
import type { Line } from "./line.ts";
import type { PermitOffers } from "./permit-offers.ts";

/** What the verbs of the waiting room need. */
export interface WaitingRoom {
  database: Database;
  line: Line;
  offers: PermitOffers;
}
