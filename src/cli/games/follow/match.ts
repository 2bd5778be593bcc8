import type { Database } from "../../../database/database.ts";
import { placeNow } from "../../../events/place.ts";
import type { KeptEvent } from "../../../events/replay.ts";
import type { CombatEvent, CombatSession, Participant } from "../../../sessions/game/combat/contract.ts";
import { readTidings, tidingsOf } from "../../../sessions/game/combat/follow.ts";
import { listEvents, lookAtCombat } from "../../../sessions/game/combat/look.ts";
import { oneLine } from "../../fields.ts";
import type { Following, Picture, Tell } from "../../follow/index.ts";
import { paint, shorten, span, wrap } from "../../output.ts";
import { countsOf, describeEvent, shortId } from "../words.ts";

interface Standing {
  match: CombatSession;
  over: boolean;
}

const EVENTS_KEPT = 100;
const HEALTH = 100;
const BAR_PLACES = 20;

/** How a match is followed. Undefined: the session has none. */
export async function followMatch(database: Database, sessionId: string): Promise<Following<Standing> | undefined> {
  const match = await lookAtCombat(database, sessionId);
  if (match === undefined) return undefined;
  const { events } = await listEvents(database, sessionId, { limit: EVENTS_KEPT });
  const over = match.ended_at !== undefined;
  const known = { match, over };
  return {
    known,
    after: placeNow({ lastEvent: events.at(-1)?.sequence ?? 0, over }),
    async read(from, after) {
      const [row] = await readTidings(from, [{ session_id: sessionId, after }]);
      const now = row && (await lookAtCombat(from, sessionId));
      return row && now && { ...tidingsOf(row), session: { match: now, over: row.over } };
    },
    isOver: (standing) => standing.over,
    openPicture: () => openPicture(match, events),
    tellInLines,
  };
}

function openPicture(known: CombatSession, before: CombatEvent[]): Picture<Standing> {
  let match = known;
  let lines = before.map(lineOf).reverse();
  return {
    see({ session, events }) {
      match = session.match;
      lines = [...events.map(({ data }) => lineOf(data as CombatEvent)).reverse(), ...lines].slice(0, EVENTS_KEPT);
    },
    draw: ({ columns }) => [
      ...wrap(sayWhat(match), columns).map((line) => paint("bold", line)),
      ...wrap(countsOf(match), columns),
      "",
      ...match.participants.map((one) => drawParticipant(one, healthOf(match), columns)),
      "",
      ...lines.map((line) => shorten(line, columns)),
    ],
    farewell: () =>
      match.ended_at === undefined ? [...sayWhat(match), ...countsOf(match)].join(" · ") : sayEnd(match),
  };
}

function drawParticipant({ player_id, status, health, score }: Participant, full: number, columns: number): string {
  const filled = Math.min(BAR_PLACES, Math.ceil((BAR_PLACES * health) / full));
  const bar = "█".repeat(filled) + "░".repeat(BAR_PLACES - filled);
  const line = `${shortId(player_id)} ${bar} ${String(health).padStart(5)} health ${String(score).padStart(6)} score  ${status}`;
  return paint(status === "active" ? "green" : "dim", shorten(line, columns));
}

const healthOf = ({ settings }: CombatSession): number =>
  (settings as { rules?: { health?: number | null } }).rules?.health ?? HEALTH;

const lineOf = (event: CombatEvent): string => `${event.sequence}  ${oneLine(describeEvent(event))}`;

const sayWhat = ({ mode, status, participants }: CombatSession): string[] => [
  mode,
  status,
  `${participants.length} players`,
];

function sayEnd(match: CombatSession): string {
  const { status, stats } = match;
  const won = stats.winner === undefined ? "" : `, won by ${stats.winner}`;
  return `${status} after ${span(stats.duration_seconds)}${won} · ${countsOf(match).join(" · ")}`;
}

/** Each event a line, with the moment at which it happened. */
function tellInLines(print: (line: string) => void): Tell<Standing> {
  let begun = false;
  const line = (at: string, text: string) => print(`${at.slice(0, 19)}Z  ${text}`);
  const tellEvent = ({ data }: KeptEvent) => {
    const event = data as CombatEvent;
    if (event.type !== "ended") line(event.timestamp, lineOf(event));
  };
  return ({ session: { match, over }, events }) => {
    if (!begun) line(new Date().toISOString(), [...sayWhat(match), ...countsOf(match)].join(" · "));
    begun = true;
    for (const kept of events) tellEvent(kept);
    if (over) line(match.ended_at ?? match.created_at, sayEnd(match));
  };
}
