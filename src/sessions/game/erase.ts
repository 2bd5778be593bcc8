import type { Operator } from "../../audit/operator.ts";
import type { Database } from "../../database/database.ts";
import { AppError } from "../../errors.ts";
import { erasePlayerRow } from "./sql.ts";

/**
 * Takes away all that is known of a player: what it made, and what the audit log says of it. Matches that others are in stay
 * whole, with a nobody in its place. Throws player_not_found.
 */
export async function erasePlayer(database: Database, playerId: string, by: Operator): Promise<void> {
  if (!(await erasePlayerRow(database, playerId, by))) {
    throw new AppError("player_not_found", "Nothing is known of this player");
  }
}
