/**
 * Tells whoever watches a user's place what became of it, within the process: at once when PostgreSQL says that the line
 * has changed (in whatever process), and by looking in any case (see events/looks.ts).
 *
 *   notification ─► one look at the whole line ─► each watcher whose place reads otherwise than before is told
 *
 * The next look waits three times as long as the last one took: however many wait and however often they move, watching
 * takes at most a quarter of a process.
 */
import type { Database } from "../../database/database.ts";
import type { Listener } from "../../database/listener.ts";
import { createLooks } from "../../events/looks.ts";
import type { Logger } from "../../log.ts";
import type { DepartureEvent, PositionReply } from "./contract.ts";
import { describeWaiter } from "./place.ts";
import { keepWaiterRows, selectDepartures, selectLine } from "./sql.ts";

const ROUND_MS = 5_000;
const ROUND_MS_IN_DOUBT = 1_000;
const REST_MS_MIN = 20;
const KEEP_SIZE_MAX = 1_000;

export type PlaceEvent =
  | { event: "position" | "promoted"; data: PositionReply }
  | { event: "closed" | "expired"; data: DepartureEvent };

export interface Line {
  /** `tell` gets the place as it was read, and then every change since; closed and expired are the last. */
  watch(place: PositionReply, tell: (event: PlaceEvent) => void): () => void;
  /** Keeps the places of those who wait with an open watch; to be called well within the waiter timeout. */
  keepWatched(): Promise<void>;
  close(): void;
}

interface Watcher {
  tell(event: PlaceEvent): void;
  /** What it was told last, as JSON. */
  told?: string;
  seated?: boolean;
}

export function openLine(deps: { database: Database; listener: Listener; log: Logger }): Line {
  const { database, listener, log } = deps;
  const watchers = new Map<string, Set<Watcher>>();
  const looks = createLooks({
    look: () => tellChanges(database, watchers),
    onRound: () => looks.want(),
    roundMs: ROUND_MS,
    roundMsInDoubt: ROUND_MS_IN_DOUBT,
    restMs: (tookMs) => Math.max(REST_MS_MIN, 3 * tookMs),
    listener,
    log,
  });
  listener.on("keybeat_room", {
    hear: (payload) => payload === "line" && looks.want(),
    onDoubt: looks.want,
  });

  return {
    watch(place, tell) {
      const { user_id: userId } = place;
      const watcher: Watcher = { tell };
      if (place.status === "active") tellSeated(watcher, userId);
      else tellWaiter(watcher, place);
      const same = watchers.get(userId) ?? new Set();
      watchers.set(userId, same.add(watcher));
      looks.want();
      return () => {
        same.delete(watcher);
        if (same.size === 0 && watchers.get(userId) === same) watchers.delete(userId);
      };
    },
    async keepWatched() {
      const userIds = [...watchers.keys()];
      for (let from = 0; from < userIds.length; from += KEEP_SIZE_MAX) {
        await keepWaiterRows(database, userIds.slice(from, from + KEEP_SIZE_MAX));
      }
    },
    close: looks.close,
  };
}

async function tellChanges(database: Database, watchers: Map<string, Set<Watcher>>): Promise<void> {
  if (watchers.size === 0) return;
  // A watch that begins meanwhile is served by the next look.
  const present = new Map([...watchers].map(([userId, same]) => [userId, [...same]]));
  const line = await selectLine(database);
  for (const userId of line.seated) {
    for (const watcher of present.get(userId) ?? []) tellSeated(watcher, userId);
    present.delete(userId);
  }
  line.waiting.forEach((userId, index) => {
    const same = present.get(userId);
    if (!same) return;
    const waitSeconds = line.seconds_per_seat === null ? null : (index + 1) * line.seconds_per_seat;
    for (const watcher of same) tellWaiter(watcher, describeWaiter(userId, index + 1, waitSeconds));
    present.delete(userId);
  });
  if (present.size === 0) return;
  for (const departure of await selectDepartures(database, [...present.keys()])) {
    for (const watcher of present.get(departure.user_id) ?? []) {
      // Back again since the look at the line: the next look tells.
      if (!isDeparture(departure.move)) continue;
      const data = { user_id: departure.user_id, reason: departure.move, at: departure.at.toISOString() };
      watcher.tell({ event: DEPARTURES[departure.move], data });
    }
  }
}

const DEPARTURES: Record<DepartureEvent["reason"], "closed" | "expired"> = {
  closed: "closed",
  left: "closed",
  removed: "closed",
  expired: "expired",
  abandoned: "expired",
  unclaimed: "expired",
};
const isDeparture = (move: string): move is DepartureEvent["reason"] => move in DEPARTURES;

/** The first word to whoever is in already is where he stands; only a change is a promotion. */
function tellSeated(watcher: Watcher, userId: string): void {
  if (watcher.seated) return;
  const event = watcher.seated === undefined ? "position" : "promoted";
  watcher.seated = true;
  watcher.told = undefined;
  watcher.tell({ event, data: { user_id: userId, position: 0, status: "active" } });
}

function tellWaiter(watcher: Watcher, data: PositionReply): void {
  const text = JSON.stringify(data);
  watcher.seated = false;
  if (watcher.told === text) return;
  watcher.told = text;
  watcher.tell({ event: "position", data });
}
