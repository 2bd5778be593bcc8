/** What happened in a session, the newest first: of a match its events, of any other the entries of its log. */
import { el } from "../parts/element.ts";
import { age } from "../parts/format.ts";
import { longText } from "../parts/long-text.ts";
import { createTable } from "../parts/table.ts";
import { type GameReply, type LogItem, listEvents, listLog, type MatchEvent } from "./api.ts";
import { shortId } from "./game-state.ts";

export interface Timeline {
  element: HTMLElement;
  /** The session as it is now. */
  renew(reply: GameReply): void;
}

/** What an event says, as far as it is told. */
interface Happened {
  player_id?: string;
  action_type?: string;
  target_id?: string;
  damage_dealt?: number;
  health?: number;
  score?: number;
  eliminated?: boolean;
  parameters?: object;
  ended_reason?: string;
}

export function createTimeline(id: string, isMatch: boolean): Timeline {
  const title = isMatch ? "Timeline" : "Log";
  const table = isMatch ? eventTable(id, title) : logTable(id, title);
  let shown = "";
  return {
    element: el("section", { class: "card", "aria-label": title }, el("h2", { tabindex: "-1" }, title), table.element),
    renew({ session }) {
      const now = `${session.stats?.events_count} ${session.version}`;
      if (now !== shown) void table.refresh();
      shown = now;
    },
  };
}

const eventTable = (id: string, label: string) =>
  createTable<MatchEvent>({
    label,
    keyOf: ({ sequence }) => String(sequence),
    contentOf: ({ sequence }) => String(sequence),
    load: (cursor) => listEvents(id, cursor),
    columns: [
      { title: "No.", end: true, cell: ({ sequence }) => String(sequence) },
      { title: "When", cell: ({ timestamp }) => age(timestamp) },
      { title: "Who", cell: ({ data }) => player((data as Happened).player_id) },
      { title: "What", cell: showWhat },
      { title: "At whom", cell: ({ data }) => player((data as Happened).target_id) },
      { title: "Effect", cell: showEffect },
    ],
    emptyTitle: "Nothing has happened yet",
    emptyHint: "An action shows up the moment that it is taken in.",
  });

const logTable = (id: string, label: string) =>
  createTable<LogItem>({
    label,
    keyOf: (entry) => JSON.stringify(entry),
    contentOf: (entry) => JSON.stringify(entry),
    load: (cursor) => listLog(id, cursor),
    columns: [
      { title: "When", cell: ({ timestamp }) => age(timestamp) },
      { title: "What", cell: ({ event_type }) => event_type },
      { title: "Message", cell: ({ message }) => longText(message ?? "") },
      { title: "Data", cell: ({ data }) => longText(data === undefined ? "" : JSON.stringify(data)) },
    ],
    emptyTitle: "Nothing is known any more",
    emptyHint: "Its log has been forgotten.",
  });

const player = (id: string | undefined) =>
  id === undefined ? "" : el("span", { class: "mono", title: id }, shortId(id));

function showWhat({ type, data }: MatchEvent): HTMLElement {
  const { action_type, parameters } = data as Happened;
  return el(
    "span",
    {},
    action_type ?? type,
    parameters ? el("span", { class: "sub" }, longText(JSON.stringify(parameters))) : null,
  );
}

function showEffect({ data }: MatchEvent): string {
  const { damage_dealt: damage, health, score, eliminated, ended_reason } = data as Happened;
  const told = [
    damage ? `${damage} damage` : "",
    health === undefined ? "" : `${health} health left`,
    eliminated ? "eliminated" : "",
    score ? `score ${score}` : "",
    ended_reason ?? "",
  ];
  return told.filter(Boolean).join(", ");
}
