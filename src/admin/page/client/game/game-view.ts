/** One game session, followed while it is looked at: its facts, who takes part, what happened, and its end by hand. */
import { Refused } from "../api.ts";
import { actionButton, renewActions } from "../parts/action-row.ts";
import { el, fact, renewChildren, setText } from "../parts/element.ts";
import { showProgress } from "../parts/progress.ts";
import type { View } from "../view.ts";
import { type GameReply, type MatchItem, type Participant, readGame } from "./api.ts";
import { askToEnd } from "./end-dialog.ts";
import { tellFacts } from "./game-facts.ts";
import { healthLeft, partBadge, shortId, showId, stateBadge } from "./game-state.ts";
import { createTimeline, type Timeline } from "./timeline.ts";

export function createGameView(id: string): View {
  const heading = el("h1", { tabindex: "-1", class: "breakable" }, "Game");
  const state = el("span", { role: "status" });
  const actions = el("div", { class: "actions" });
  const facts = el("dl", { class: "facts" });
  const parts = el("ul", { class: "plain groups" });
  const partCard = el("section", { class: "card", "aria-label": "Participants", hidden: true });
  const body = el("div", { class: "stack" });
  let timeline: Timeline | undefined;
  let asked = 0;
  partCard.append(el("h2", { tabindex: "-1" }, "Participants"), parts);
  body.append(el("section", { class: "card", "aria-label": "Facts" }, facts), partCard);

  async function load(): Promise<void> {
    const mine = ++asked;
    try {
      const reply = await readGame(id);
      if (mine === asked) show(reply);
    } catch (error) {
      if (mine === asked) showProblem(error as Error);
    }
  }

  function show(reply: GameReply): void {
    const { session, match } = reply;
    setText(heading, `${match ? `Match, ${match.mode}` : `Session, ${session.type}`} ${shortId(session.session_id)}`);
    renewChildren(state, [stateBadge(match?.status ?? session.status)]);
    renewChildren(facts, tellFacts(reply));
    partCard.hidden = match === undefined;
    if (match) {
      renewChildren(
        parts,
        match.participants.map((one) => showPart(one, match)),
      );
    }
    if (!timeline) {
      timeline = createTimeline(id, match !== undefined);
      body.append(timeline.element);
    }
    timeline.renew(reply);
    const again = () => {
      heading.focus();
      void load();
    };
    const live = session.ended_at === undefined;
    renewActions(actions, [live ? actionButton("End", () => askToEnd(reply, again), "danger") : null]);
  }

  /** What is shown of a session that is gone would be wrong; of one that cannot be asked for it is only old, and the banner says so. */
  function showProblem(error: Error): void {
    const gone = error instanceof Refused && error.code === "session_not_found";
    if (timeline && !gone) return;
    timeline?.element.remove();
    timeline = undefined;
    partCard.hidden = true;
    const why = gone
      ? "There is no such session: it was erased, or ended longer ago than sessions are kept."
      : error.message;
    for (const part of [state, actions]) part.replaceChildren();
    facts.replaceChildren(fact("Not to be had", why));
  }

  const back = el("a", { href: "#/games" }, "All games");
  const title = el("div", { class: "head" }, el("div", { class: "head" }, heading, state), actions);
  return {
    title: "Game",
    element: el("div", { class: "stack" }, el("p", {}, back), title, body),
    refresh: () => void load(),
    onNumbers: () => !document.hidden && void load(),
  };
}

function showPart(one: Participant, match: MatchItem): HTMLElement {
  const name = shortId(one.player_id);
  return el(
    "li",
    {},
    el("div", { class: "head" }, showId(one.player_id), partBadge(one, match)),
    showProgress(`Health of ${name}`, healthLeft(one, match)),
  );
}
