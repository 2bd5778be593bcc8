import { AppError } from "../../errors.ts";
import type { Reader } from "./sql.ts";

/** Who asks, as its token says (see http/caller.ts). */
export interface GameCaller extends Reader {
  /** The token's `sub`; a UUID in lower case. */
  subject: string;
}

/** Throws forbidden where somebody acts in another player's name. */
export function actFor({ playerId, isService }: GameCaller, player: string): void {
  if (!isService && playerId !== player) throw new AppError("forbidden", "This token belongs to another player");
}
