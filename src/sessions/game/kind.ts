import { ANALYTICS_TABLES } from "../../analytics/tables.ts";
import { untilFree } from "../../database/locked.ts";
import { createCallerReader } from "../../http/caller.ts";
import type { Kind } from "../kind.ts";
import { openCombatReplay } from "./combat/follow.ts";
import { combatRoutes } from "./combat/routes.ts";
import { gameErrors, gamePart } from "./description.ts";
import { gameErrorShape } from "./errors.ts";
import { expireGames } from "./expire.ts";
import { gameBodyBytesMax, gameRoutes } from "./routes.ts";
import { type GameSettings, gameSettings } from "./settings.ts";
import { configureGames } from "./upkeep-sql.ts";

/** Matches, and other sessions of players (see index.ts). */
export const game = {
  name: "game",
  settings: gameSettings,
  tables: [
    ...["game_settings", "game_sessions", "game_log_entries", "game_combats", "game_participants", "game_events"],
    "game_idempotency_keys",
    ...ANALYTICS_TABLES,
  ],
  part: gamePart,
  errors: gameErrors,

  open({ settings, database, log }) {
    return {
      errorShapes: [gameErrorShape],
      settle: () =>
        untilFree(log, "the settings of game sessions", () => configureGames(database, settings.silenceSeconds)),
      async cleanUp({ untilMs, found }): Promise<Record<string, number>> {
        const games_ended = await expireGames(database, untilMs);
        if (games_ended === 0) return {};
        found();
        return { games_ended };
      },

      mount(app, { listener, streams, verifyToken }) {
        // Who asks is known by a token alone: where none can be checked, there is nobody to play.
        if (verifyToken === undefined) return { close() {} };
        const readCaller = createCallerReader(verifyToken, "keybeat game");
        const replay = openCombatReplay({ database, listener, log });
        app.route("/api/v1/game", gameRoutes({ database, readCaller }));
        app.route("/api/v1/game/combat", combatRoutes({ database, readCaller, streams, replay }));
        return { bodyBytesMax: gameBodyBytesMax, close: replay.close };
      },
    };
  },
} as const satisfies Kind<GameSettings>;
