/**
 * Tells those who look on what happens, in whatever process it happened. While anybody looks, this process asks the
 * database each second, for all its lookers together; a question that takes long is asked the more rarely. Nobody
 * looking, nothing asked: starts and endings pay nothing for it.
 *
 * A second brings at most 20 of what happened, takeovers first, and says how many it left out.
 */
import type { Database } from "../../database/database.ts";
import type { Logger } from "../../log.ts";
import {
  type EndedRow,
  type StartedRow,
  selectEndedLately,
  selectStartedLately,
} from "../../sessions/device/feed-sql.ts";
import { countSessions } from "../../sessions/device/live-sql.ts";

const POLL_MS = 1_000;
/** The inverse of the share of time that polls may take. */
const REST_TIMES = 10;
const NUMBERS_EVERY_POLLS = 3;
const TOLD_MAX = 20;
/** Beyond the cleanup's usual 10 s, which writes expiries down. */
const LOOK_BACK_SECONDS = 15;
const ROWS_MAX = 2_000;

export type Tell = (event: string, data: unknown) => void;

export interface Feed {
  /** Begins with the numbers. Returns what ends it. */
  subscribe(tell: Tell): () => void;
  size(): number;
}

export function createFeed(database: Database, log: Logger): Feed {
  const tells = new Set<Tell>();
  let look = createLook();
  let timer: NodeJS.Timeout | undefined;
  let polls = 0;
  let numbers: unknown;

  const tellAll: Tell = (event, data) => {
    for (const tell of tells) tell(event, data);
  };

  const poll = async () => {
    const startedAt = performance.now();
    try {
      if (polls++ % NUMBERS_EVERY_POLLS === 0) {
        const { live, at } = await countSessions(database.operators);
        numbers = { live, at: at.toISOString() };
        tellAll("numbers", numbers);
      }
      const ended = await selectEndedLately(database, LOOK_BACK_SECONDS, ROWS_MAX);
      const started = await selectStartedLately(database, LOOK_BACK_SECONDS, ROWS_MAX);
      tellSome(look(ended, started), tellAll);
    } catch (err) {
      log.debug({ err }, "could not look what happened, will look again");
      numbers = undefined;
      polls = 0;
      tellAll("unavailable", {});
    }
    if (tells.size === 0) {
      timer = undefined;
      return;
    }
    timer = setTimeout(poll, Math.max(POLL_MS, (performance.now() - startedAt) * REST_TIMES));
    timer.unref();
  };

  return {
    subscribe(tell) {
      tells.add(tell);
      if (timer === undefined) {
        look = createLook();
        polls = 0;
        timer = setTimeout(poll, 0);
      } else if (numbers !== undefined) {
        tell("numbers", numbers);
      }
      return () => tells.delete(tell);
    },
    size: () => tells.size,
  };
}

type Happening = { event: "takeover" | "ended" | "started"; at: string; data: object };

/** Says what is new since the last look; the first look only learns what is old. */
function createLook(): (ended: EndedRow[], started: StartedRow[]) => Happening[] {
  let known: Set<string> | undefined;
  return (ended, started) => {
    const before = known;
    const endedNames = ended.map((row) => `ended ${row.key_id} ${row.generation}`);
    const startedNames = started.map((row) => `started ${row.key_id} ${row.generation}`);
    // A takeover says of the start what there is to say.
    const takeovers = ended.map((row) => `started ${row.key_id} ${row.replaced_by_generation}`);
    known = new Set([...endedNames, ...startedNames, ...takeovers]);
    if (before === undefined) return [];
    const tookOver = new Set(takeovers);
    return [
      ...ended.filter((_, at) => !before.has(endedNames[at] as string)).map(tellEnding),
      ...started
        .filter((_, at) => !before.has(startedNames[at] as string) && !tookOver.has(startedNames[at] as string))
        .map(tellStart),
    ];
  };
}

function tellEnding(row: EndedRow): Happening {
  const at = row.at.toISOString();
  const key = { key_id: row.key_id, access_key: row.access_key, label: row.label, at };
  if (row.reason !== "replaced")
    return { event: "ended", at, data: { ...key, reason: row.reason, device: row.device } };
  return { event: "takeover", at, data: { ...key, from_device: row.device, to_device: row.replaced_by_device } };
}

function tellStart(row: StartedRow): Happening {
  const at = row.at.toISOString();
  const data = { key_id: row.key_id, access_key: row.access_key, label: row.label, at, device: row.device };
  return { event: "started", at, data };
}

/** The newest takeovers, then the newest of the rest; told in the order in which they happened. */
function tellSome(happened: Happening[], tell: Tell): void {
  const rank = (one: Happening) => (one.event === "takeover" ? 0 : 1);
  const chosen = happened
    .toSorted((a, b) => rank(a) - rank(b) || b.at.localeCompare(a.at))
    .slice(0, TOLD_MAX)
    .toSorted((a, b) => a.at.localeCompare(b.at));
  for (const { event, data } of chosen) tell(event, data);
  if (happened.length > chosen.length) tell("left_out", { count: happened.length - chosen.length });
}
