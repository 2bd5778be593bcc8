/** Follows a match as a player's program does. */
import type { TestApp } from "../../../../support/app.ts";
import { type Following, followStream } from "../../../../support/follow.ts";
import { playerToken, serviceToken } from "../../../../support/player-token.ts";

export const follow = (
  app: Pick<TestApp, "url">,
  sessionId: string,
  as: string,
  lastEventId?: string | number,
): Promise<Following> =>
  followStream(`${app.url}/api/v1/game/combat/sessions/${sessionId}/events`, lastEventId, {
    Authorization: `Bearer ${as === "service" ? serviceToken() : playerToken(as)}`,
  });
