/**
 * Tells whoever watches a user's place what became of it, within the process: at once when PostgreSQL says that the room
 * has changed (in whatever process), and by looking every 5 s in any case.
 *
 *   notification ─► one look at the whole line ─► each watcher whose place reads otherwise than before is told
 *
 * One look is under way at a time, and the next one waits three times as long as the last one took: however many wait
 * and however often they move, watching takes at most a quarter of a process.
 */
import type { Database } from "../../database/database.ts";
import type { Listener } from "../../database/listener.ts";
import type { Logger } from "../../log.ts";
import type { DepartureEvent, PositionReply } from "./contract.ts";
import { expirePlaces } from "./expire.ts";
import { describeWaiter } from "./place.ts";
import { keepWaiterRows, selectDepartures, selectLine } from "./sql.ts";

const POLL_MS = 5_000;
const POLL_IN_DOUBT_MS = 1_000;
const SETTLE_MS = 500;
const PAUSE_MS_MIN = 20;
const KEEP_SIZE_MAX = 1_000;

export type PlaceEvent =
  | { event: "position" | "promoted"; data: PositionReply }
  | { event: "closed" | "expired"; data: DepartureEvent };

export interface RoomEvents {
  /** `tell` gets the place as it was read, and then every change since; closed and expired are the last. */
  watch(place: PositionReply, tell: (event: PlaceEvent) => void): () => void;
  /** For a request that waits: `next` resolves when its permit is offered, when the time is over, or when `gone`. */
  awaitPermit(permitId: string): { next(ms: number, gone?: AbortSignal): Promise<void>; stop(): void };
  close(): void;
}

interface Watcher {
  tell(event: PlaceEvent): void;
  /** What it was told last, as JSON. */
  told?: string;
  seated?: boolean;
}

export function openRoomEvents(deps: {
  database: Database;
  /** A waiter with an open stream is kept so much more often than the waiter timeout. */
  waiterSeconds: number;
  /** Shared with the other kinds. */
  listener: Listener;
  log: Logger;
}): RoomEvents {
  const watchers = new Map<string, Set<Watcher>>();
  const offers = new Map<string, () => void>();
  let wanted = false;
  let looking = false;

  const look = () => {
    wanted = true;
    if (!looking && watchers.size > 0) void run();
  };

  const run = async () => {
    looking = true;
    while (wanted && watchers.size > 0) {
      wanted = false;
      const began = performance.now();
      await tellChanges(deps.database, watchers).catch((err) => {
        wanted = true;
        deps.log.debug({ err }, "could not look at the line, will look again");
      });
      const pauseMs = Math.max(PAUSE_MS_MIN, 3 * (performance.now() - began));
      await new Promise((resolve) => setTimeout(resolve, pauseMs).unref());
    }
    looking = false;
  };

  const lookEverywhere = () => {
    look();
    for (const offered of offers.values()) offered();
  };
  const { listener } = deps;
  listener.on("keybeat_room", {
    hear: (payload) => (payload === "line" ? look() : offers.get(payload.slice("permit ".length))?.()),
    onDoubt: lookEverywhere,
  });

  const quietly = (run: () => Promise<unknown>) =>
    run().catch((err) => deps.log.debug({ err }, "the waiting room will be looked at again"));
  let lastLookAt = 0;
  const timers = [
    setInterval(() => {
      if (performance.now() - lastLookAt < (listener.proven() ? POLL_MS : POLL_IN_DOUBT_MS)) return;
      lastLookAt = performance.now();
      look();
    }, POLL_IN_DOUBT_MS),
    // Where nobody calls, somebody has to see that a seat or a place has fallen due.
    setInterval(() => quietly(() => expirePlaces(deps.database, 0)), SETTLE_MS),
    setInterval(() => quietly(() => keepWatched(deps.database, watchers)), (deps.waiterSeconds * 1000) / 4),
  ];
  for (const timer of timers) timer.unref();

  return {
    watch(place, tell) {
      const { user_id: userId } = place;
      const watcher: Watcher = { tell };
      if (place.status === "active") tellSeated(watcher, userId);
      else tellWaiter(watcher, place);
      const same = watchers.get(userId) ?? new Set();
      watchers.set(userId, same.add(watcher));
      look();
      return () => {
        same.delete(watcher);
        if (same.size === 0 && watchers.get(userId) === same) watchers.delete(userId);
      };
    },
    awaitPermit(permitId) {
      let offered = false;
      let wake = () => {};
      offers.set(permitId, () => {
        offered = true;
        wake();
      });
      return {
        async next(ms, gone) {
          if (!offered && !gone?.aborted) await within(ms, gone, (resolve) => (wake = resolve));
          offered = false;
        },
        stop: () => offers.delete(permitId),
      };
    },
    close() {
      for (const timer of timers) clearInterval(timer);
    },
  };
}

/** Resolves when woken, after `ms`, or when the caller is gone. */
async function within(ms: number, gone: AbortSignal | undefined, onWait: (wake: () => void) => void): Promise<void> {
  await new Promise<void>((resolve) => {
    const done = () => {
      clearTimeout(timer);
      gone?.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    gone?.addEventListener("abort", done);
    onWait(done);
  });
}

async function tellChanges(database: Database, watchers: Map<string, Set<Watcher>>): Promise<void> {
  // Whoever begins to watch meanwhile is told by the next look.
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

async function keepWatched(database: Database, watchers: Map<string, unknown>): Promise<void> {
  const userIds = [...watchers.keys()];
  for (let from = 0; from < userIds.length; from += KEEP_SIZE_MAX) {
    await keepWaiterRows(database, userIds.slice(from, from + KEEP_SIZE_MAX));
  }
}
