import { gameAdminErrors, gameAdminPart } from "../../admin/game/description.ts";
import { gameAdminRoutes, playerAdminRoutes } from "../../admin/game/routes.ts";
import { foldNumbers } from "../../analytics/fold.ts";
import { createPerformanceClock } from "../../analytics/performance.ts";
import { analyticsRoutes } from "../../analytics/routes.ts";
import { ANALYTICS_TABLES } from "../../analytics/tables.ts";
import { untilFree } from "../../database/locked.ts";
import { createCallerReader } from "../../http/caller.ts";
import type { Kind, Mounted } from "../kind.ts";
import { cleanUpGames, redateGames } from "./cleanup.ts";
import { openCombatReplay } from "./combat/follow.ts";
import { combatRoutes } from "./combat/routes.ts";
import { gameErrors, gamePart } from "./description.ts";
import { gameErrorShape } from "./errors.ts";
import { gameBodyBytesMax, gameRoutes } from "./routes.ts";
import { describeGames } from "./samples.ts";
import { type GameSettings, gameSettings } from "./settings.ts";
import { configureGames, selectGameNumbers } from "./upkeep-sql.ts";

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
  adminPart: gameAdminPart,
  errors: { ...gameErrors, ...gameAdminErrors },

  open({ settings, database, counts, log }) {
    return {
      errorShapes: [gameErrorShape],
      async settle() {
        await untilFree(log, "the settings of game sessions", () => configureGames(database, settings.silenceSeconds));
        await untilFree(log, "the dates of game sessions", () => redateGames(database));
      },
      async cleanUp({ untilMs, found }): Promise<Record<string, number>> {
        const { ended, forgotten } = await cleanUpGames(database, { untilMs, retentionDays: settings.retentionDays });
        await foldNumbers(database, untilMs);
        if (ended + forgotten === 0) return {};
        found();
        return { games_ended: ended, games_forgotten: forgotten };
      },
      readSamples: async () => describeGames(await selectGameNumbers(database)),

      mount(app, { listener, streams, verifyToken }) {
        // Who asks is known by a token alone: where none can be checked, there is nobody to play.
        const mountAdmin: Mounted["mountAdmin"] = (admin) => {
          admin.route("/game", gameAdminRoutes({ database }));
          admin.route("/players", playerAdminRoutes({ database }));
        };
        if (verifyToken === undefined) return { mountAdmin, close() {} };
        const readCaller = createCallerReader(verifyToken, "keybeat game");
        const replay = openCombatReplay({ database, listener, log });
        const performance = createPerformanceClock(database, counts, "/api/v1/game/");
        app.route("/api/v1/game", gameRoutes({ database, readCaller }));
        app.route("/api/v1/game/combat", combatRoutes({ database, readCaller, streams, replay }));
        app.route("/api/v1/game/analytics", analyticsRoutes({ database, readCaller }));
        return {
          mountAdmin,
          bodyBytesMax: gameBodyBytesMax,
          clocks: [performance],
          close() {
            replay.close();
            return performance.close();
          },
        };
      },
    };
  },
} as const satisfies Kind<GameSettings>;
