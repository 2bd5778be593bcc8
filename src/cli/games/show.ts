import type { Command } from "commander";
import { readGame } from "../../admin/game/games.ts";
import type { CombatEvent, CombatSession } from "../../sessions/game/combat/contract.ts";
import { listEvents } from "../../sessions/game/combat/look.ts";
import type { LogEntry, SessionDetails } from "../../sessions/game/contract.ts";
import { type Field, momentOf, oneLine, printFields } from "../fields.ts";
import { ago, type OutputOptions, printJson, printTable, shorten, span } from "../output.ts";
import { statusCell } from "./list.ts";
import { withSession } from "./which.ts";
import { countsOf, describeEvent } from "./words.ts";

const SHOWN = 20;
const OBJECT_PLACES = 200;

export function addShowCommand(games: Command): void {
  games
    .command("show <id>")
    .description(`one game session: how it stands; of a match who takes part, and its last ${SHOWN} events`)
    .option("--json", "print as JSON: {session, match, events}; without a match the last two are missing")
    .action((id: string, options: OutputOptions) =>
      withSession(id, options, async ({ database }, sessionId) => {
        const { session, match } = await readGame(database, sessionId);
        const events = match && (await listEvents(database, sessionId, { limit: SHOWN })).events;
        if (options.json) {
          printJson({ session, match, events });
          return;
        }
        printFields(fieldsOf(session, match));
        if (match) printParticipants(match);
        if (events) printEvents(events);
        else printLog(session.logs ?? []);
      }),
    );
}

function fieldsOf(session: SessionDetails, match: CombatSession | undefined): Field[] {
  const { ended_at, ended_reason, metadata, settings, stats } = session;
  const status = match?.status ?? session.status;
  return [
    ["session", session.session_id],
    ["type", match ? `${session.type}, ${match.mode}` : session.type],
    ["status", ended_reason === undefined ? status : `${status} (${ended_reason})`],
    ["made by", session.player_id],
    ["version", String(session.version)],
    ["created", momentOf(session.created_at)],
    ["changed", momentOf(session.updated_at)],
    ["ended", momentOf(ended_at ?? null)],
    ["played", stats === undefined ? null : `${span(stats.duration_seconds)} without pauses`],
    ["match", match ? countsOf(match).join(", ") : null],
    ["winner", match?.stats.winner ?? null],
    ["refused", stats?.errors_count ? `${stats.errors_count} actions` : null],
    ["metadata", inShort(metadata)],
    ["settings", inShort(settings)],
  ];
}

const inShort = (object: object | undefined): string | null =>
  object === undefined ? null : shorten(JSON.stringify(object), OBJECT_PLACES);

function printParticipants({ participants }: CombatSession): void {
  console.log();
  printTable(
    ["PLAYER", "STATUS", "HEALTH", "SCORE", "JOINED"],
    participants.map(({ player_id, status, health, score, joined_at }) => [
      player_id,
      statusCell(status),
      health,
      score,
      ago(joined_at),
    ]),
  );
}

function printEvents(events: CombatEvent[]): void {
  if (events.length === 0) return;
  console.log();
  printTable(
    ["EVENT", "WHEN", "WHAT"],
    events.map((event) => [event.sequence, ago(event.timestamp), oneLine(describeEvent(event))]),
  );
}

function printLog(entries: LogEntry[]): void {
  console.log();
  printTable(
    ["WHEN", "WHAT", "MESSAGE"],
    entries
      .slice(-SHOWN)
      .map(({ timestamp, event_type, message }) => [
        ago(timestamp),
        event_type,
        message === undefined ? null : oneLine(message),
      ]),
  );
}
