import { AppError } from "../../../errors.ts";
import type { GameCaller } from "../caller.ts";
import type { PlayersRequest } from "./contract.ts";

/** Who is to come or to go: by default whoever asks. A service that is no player has to say it: else invalid_request. */
export function playersOf({ player_ids }: PlayersRequest, { playerId }: GameCaller): string[] {
  if (player_ids !== undefined) return player_ids;
  if (playerId !== undefined) return [playerId];
  const message = "is required of a service that is no player";
  throw new AppError("invalid_request", `Invalid request: player_ids: ${message}`, {
    issues: [{ path: "player_ids", message }],
  });
}
