/** All game sessions, newest first, those that are played now to begin with; and the numbers over them. */
import { actionButton } from "../parts/action-row.ts";
import { el, field, select } from "../parts/element.ts";
import { age } from "../parts/format.ts";
import { searchInput } from "../parts/search-field.ts";
import { createTable, type Table } from "../parts/table.ts";
import type { View } from "../view.ts";
import { type GameItem, listGames } from "./api.ts";
import { askToErasePlayer } from "./erase-dialog.ts";
import { STATES, shortId, showEnding, showId, stateBadge } from "./game-state.ts";
import { createNumbers } from "./numbers.ts";

const PAGE_SIZE = 50;
const TYPES: [string, string][] = [
  ["", "all"],
  ["combat", "combat"],
  ["player", "player"],
  ["auth", "auth"],
  ["custom", "custom"],
];
/** The list knows a match in preparation as active. */
const STATUSES = ["active", "paused", "completed", "terminated"] as const;

export function createGamesView(): View {
  const search = searchInput(() => void table.restart());
  const type = select(TYPES, { onchange: () => void table.restart() });
  const statuses = STATUSES.map((status): [string, string] => [status, STATES[status].words]);
  const status = select([...statuses, ["", "all"]], { onchange: () => void table.restart() });
  const numbers = createNumbers();
  const table: Table = createTable<GameItem>({
    label: "Games",
    keyOf: ({ session_id }) => session_id,
    contentOf: (game) => JSON.stringify([game.status, game.ended_reason, game.version]),
    load(cursor) {
      const wanted = search.value.trim();
      return listGames({
        limit: String(PAGE_SIZE),
        ...(wanted && { search: wanted }),
        ...(type.value && { type: type.value }),
        ...(status.value && { status: status.value }),
        ...(cursor !== null && { cursor }),
      });
    },
    columns: [
      { title: "Session", cell: showSession },
      { title: "Status", short: "", cell: showStatus },
      { title: "Player", cell: ({ player_id }) => showId(player_id) },
      { title: "Changed", cell: ({ updated_at }) => age(updated_at) },
      { title: "Created", cell: ({ created_at }) => age(created_at) },
    ],
    emptyTitle: "No games here",
    emptyHint: "A session shows up the moment that it is created. If there are some, look for another status or type.",
  });
  const heading = el("h1", { tabindex: "-1" }, "Games");
  const again = () => {
    heading.focus();
    void table.refresh();
    void numbers.refresh();
  };
  const erase = actionButton("Erase a player", () => askToErasePlayer(search.value.trim(), again), "danger");
  const title = el("div", { class: "head" }, heading, el("div", { class: "actions" }, erase));
  const wide = field("Id begins with, or a player", search, "wide");
  const filters = el("div", { class: "filters", role: "search" }, wide, field("Type", type), field("Status", status));
  const card = el("section", { class: "card", "aria-label": "Games" }, filters, table.element);
  return {
    title: "Games",
    element: el("div", { class: "stack" }, title, numbers.tiles, numbers.chart, card),
    refresh() {
      void table.refresh();
      void numbers.refresh();
    },
    onNumbers: () => !document.hidden && void table.refresh(),
    leave: numbers.close,
  };
}

function showSession({ session_id, type }: GameItem): HTMLElement {
  const link = el("a", { href: `#/games/${session_id}`, title: session_id, class: "mono" }, shortId(session_id));
  return el("span", {}, link, el("span", { class: "sub" }, type));
}

function showStatus(game: GameItem): HTMLElement {
  const ending = showEnding(game);
  return el("span", {}, stateBadge(game.status), ending ? el("span", { class: "sub" }, ending) : null);
}
