import type { Command } from "commander";
import { listGames } from "../../admin/game/games.ts";
import type { Database } from "../../database/database.ts";
import type { GameSession, GameStatus, GameType } from "../../sessions/game/contract.ts";
import { GAME_STATUSES, GAME_TYPES } from "../../sessions/game/states.ts";
import { withDatabase } from "../context.ts";
import { readLimit, readWord } from "../list-options.ts";
import { ago, type Cell, type OutputOptions, printJson, printTable, type Style } from "../output.ts";

const PAGE_SIZE = 500;

interface Filter {
  type: GameType | undefined;
  status: GameStatus | undefined;
}

export function addListCommand(games: Command): void {
  games
    .command("list")
    .description("the game sessions, newest first")
    .option("--type <type>", `only these: ${GAME_TYPES.join(", ")}`)
    .option("--status <status>", `only these: ${GAME_STATUSES.join(", ")}`)
    .option("--limit <n>", "how many at most", "20")
    .option("--json", "print as JSON, a session a line")
    .action(async (options: OutputOptions & { type?: string; status?: string; limit: string }) => {
      const type = readWord("--type", options.type, GAME_TYPES);
      const status = readWord("--status", options.status, GAME_STATUSES);
      const limit = readLimit(options.limit);
      await withDatabase(async ({ database }) => {
        const sessions: GameSession[] = [];
        for await (const session of newest(database, { type, status }, limit)) {
          if (options.json) printJson(session);
          else sessions.push(session);
        }
        if (options.json) return;
        if (sessions.length === 0) console.log((type ?? status) ? "no game session is so" : "no game sessions yet");
        else printSessions(sessions);
      });
    });
}

async function* newest(database: Database, filter: Filter, limit: number) {
  let cursor: number | undefined;
  for (let left = limit; left > 0; left -= PAGE_SIZE) {
    const page = await listGames(database, { ...filter, limit: Math.min(left, PAGE_SIZE), cursor });
    yield* page.items;
    if (page.next_cursor === null) return;
    cursor = Number(page.next_cursor);
  }
}

export function printSessions(sessions: GameSession[]): void {
  printTable(
    ["SESSION", "TYPE", "STATUS", "PLAYER", "VERSION", "CREATED", "ENDED"],
    sessions.map((session) => [
      session.session_id,
      session.type,
      statusCell(session.status),
      session.player_id,
      session.version,
      ago(session.created_at),
      session.ended_at === undefined ? null : `${ago(session.ended_at)}, ${session.ended_reason}`,
    ]),
  );
}

const STYLES: Partial<Record<string, Style>> = {
  active: "green",
  paused: "yellow",
  disconnected: "yellow",
  eliminated: "red",
  terminated: "red",
};

/** Of a session, or of who takes part. */
export function statusCell(status: string): Cell {
  const style = STYLES[status];
  return style === undefined ? status : { text: status, style };
}
