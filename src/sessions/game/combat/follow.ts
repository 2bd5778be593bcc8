/** What is told of a match to whoever follows it (see events/replay.ts). */
import type { Database } from "../../../database/database.ts";
import type { Listener } from "../../../database/listener.ts";
import { createReplay, type Replay, type Tidings } from "../../../events/replay.ts";
import type { Logger } from "../../../log.ts";
import { selectTidings, settleCombatRow, type TidingsRow } from "./event-sql.ts";
import { describeEvent } from "./session.ts";
import type { StateRow } from "./sql.ts";

const EVENTS_MAX = 500;

export function openCombatReplay(deps: { database: Database; listener: Listener; log: Logger }): Replay {
  const { database, listener, log } = deps;
  const look = async (subjects: Array<{ subject: string; after: number }>) => {
    const asked = subjects.map(({ subject, after }) => ({ session_id: subject, after }));
    return new Map((await readTidings(database, asked)).map((row) => [row.session_id, tidingsOf(row)]));
  };
  return createReplay({ look, listener, channel: "keybeat_game", log });
}

/** How those matches stand, and a bounded number of events of each after that one; a match that is missing is gone. */
export async function readTidings(
  database: Database,
  asked: Array<{ session_id: string; after: number }>,
): Promise<TidingsRow[]> {
  const rows = await selectTidings(database, asked, EVENTS_MAX);
  // Nobody else may call while it is followed; what comes by itself is told by what this notifies.
  const due = rows.filter(({ due_in_ms }) => due_in_ms !== null && due_in_ms <= 0);
  await Promise.all(due.map(({ session_id }) => settleCombatRow(database, session_id)));
  return rows;
}

export function tidingsOf(row: TidingsRow): Tidings {
  const events = (row.events ?? []).map((event) => ({
    id: event.sequence,
    event: event.type,
    data: describeEvent(event),
  }));
  return {
    events,
    complete: events.length < EVENTS_MAX,
    state: undefined,
    over: row.over,
    dueInMs: row.due_in_ms ?? undefined,
  };
}

/** How far it has come. */
export const standingOf = ({ last_sequence, phase }: Pick<StateRow, "last_sequence" | "phase">) => ({
  lastEvent: last_sequence,
  over: phase === "finished",
});

/** Its events are all kept, as long as it is. */
export const FIRST_EVENT = 1;
