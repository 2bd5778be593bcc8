import type { Database } from "../../../database/database.ts";
import { placeNow } from "../../../events/place.ts";
import type { KeptEvent } from "../../../events/replay.ts";
import type { GameSession, LogEntry } from "../../../sessions/game/contract.ts";
import { readLogTidings } from "../../../sessions/game/follow.ts";
import { noSuchSession } from "../../../sessions/no-such-session.ts";
import { oneLine } from "../../fields.ts";
import type { Following } from "../../follow/index.ts";
import { paint, shorten, span, wrap } from "../../output.ts";

interface Standing {
  session: GameSession;
  over: boolean;
}

/** How a session without a match is followed: by the entries of its log. */
export async function followLog(database: Database, sessionId: string): Promise<Following<Standing>> {
  const known = await readLogTidings(database, sessionId, 0);
  if (known === undefined) throw noSuchSession();
  return {
    known,
    after: placeNow({ lastEvent: known.lastEntry, over: known.over }),
    async read(from, after) {
      const tidings = await readLogTidings(from, sessionId, after);
      return tidings && { ...tidings, session: tidings };
    },
    isOver: ({ over }) => over,
    openPicture: () => {
      let { session } = known;
      let lines: string[] = [];
      return {
        see(seen) {
          session = seen.session.session;
          lines = [...seen.events.map(describe).reverse(), ...lines];
        },
        draw: ({ columns }) => [
          ...wrap(sayWhat(session), columns).map((line) => paint("bold", line)),
          "",
          ...lines.map((line) => shorten(line, columns)),
        ],
        farewell: () => sayWhat(session).join(" · "),
      };
    },
    tellInLines(print) {
      let begun = false;
      const line = (text: string) => print(`${new Date().toISOString().slice(0, 19)}Z  ${text}`);
      return ({ session: { session, over }, events }) => {
        if (!begun) line(sayWhat(session).join(" · "));
        begun = true;
        for (const kept of events) line(describe(kept));
        if (over) line(sayEnd(session));
      };
    },
  };
}

const sayWhat = ({ type, player_id, status, version }: GameSession) => [type, player_id, status, `version ${version}`];

function describe({ data }: KeptEvent): string {
  const { event_type, message } = data as LogEntry;
  return message === undefined ? event_type : `${event_type}: ${oneLine(message)}`;
}

export function sayEnd({ status, ended_reason, created_at, ended_at = created_at }: GameSession): string {
  return `${status} (${ended_reason}) after ${span((Date.parse(ended_at) - Date.parse(created_at)) / 1000)}`;
}
