/** One run, followed while it is looked at: how far it is, its facts, groups and nodes, and what can be done to it. */
import { Refused } from "../api.ts";
import { actionButton, renewActions } from "../parts/action-row.ts";
import { el, fact, renewChildren, setText } from "../parts/element.ts";
import { renewProgress, showProgress } from "../parts/progress.ts";
import type { View } from "../view.ts";
import { type BatchItem, type BatchReply, readRun } from "./api.ts";
import { createNodeLists, type NodeLists } from "./node-lists.ts";
import { askToCancel, askToEnd, askToErase, askToResume } from "./run-dialogs.ts";
import { showGroup, tellFacts, tellTrouble } from "./run-facts.ts";
import { runDone, stateBadge } from "./run-state.ts";

export function createRunView(id: string): View {
  const heading = el("h1", { tabindex: "-1", class: "breakable" }, "Batch run");
  const badge = el("span", { role: "status" });
  const actions = el("div", { class: "actions" });
  const trouble = el("div", { class: "stack" });
  const facts = el("dl", { class: "facts" });
  const groups = el("ul", { class: "plain groups" });
  const groupCard = el("section", { class: "card", "aria-label": "Groups", hidden: true });
  const body = el("div", { class: "stack" });
  let bar: HTMLElement | undefined;
  let nodes: NodeLists | undefined;
  let asked = 0;
  groupCard.append(el("h2", { tabindex: "-1" }, "Groups"), groups);
  body.append(el("section", { class: "card stack", "aria-label": "Facts" }, trouble, facts), groupCard);

  async function load(): Promise<void> {
    const mine = ++asked;
    try {
      const reply = await readRun(id);
      if (mine === asked) show(reply);
    } catch (error) {
      if (mine === asked) showProblem(error as Error);
    }
  }

  function show({ session: run, groups: parts }: BatchReply): void {
    setText(heading, run.canvas_path);
    renewChildren(badge, [stateBadge(run)]);
    renewChildren(trouble, tellTrouble(run));
    renewChildren(facts, tellFacts(run));
    renewChildren(
      groups,
      parts.map((group) => showGroup(group, run)),
    );
    groupCard.hidden = parts.length === 0;
    if (bar) renewProgress(bar, runDone(run));
    else {
      bar = showProgress("Progress", runDone(run));
      body.firstElementChild?.prepend(bar);
    }
    if (!nodes) {
      nodes = createNodeLists(id, parts.length > 0);
      body.append(nodes.element);
    }
    nodes.renew(run);
    showActions(run);
  }

  /** What is shown of a run that is gone would be wrong; of one that cannot be asked for it is only old, and the banner says so. */
  function showProblem(error: Error): void {
    const gone = error instanceof Refused && error.code === "session_not_found";
    if (nodes && !gone) return;
    nodes?.element.remove();
    bar?.remove();
    bar = nodes = undefined;
    groupCard.hidden = true;
    const why = gone ? "There is no such run: it was erased, or ended longer ago than runs are kept." : error.message;
    for (const part of [badge, trouble, actions]) part.replaceChildren();
    facts.replaceChildren(fact("Not to be had", why));
  }

  function showActions(run: BatchItem): void {
    const again = () => {
      heading.focus();
      void load();
    };
    const goTo = (hash: string) => {
      location.hash = hash;
    };
    const live = run.completed_at === null;
    const resumable = !live && run.status !== "completed" && run.resumed_as === null;
    renewActions(actions, [
      live ? actionButton("Cancel", () => askToCancel(run, again), "danger") : null,
      live ? actionButton("End by force", () => askToEnd(run, again), "danger") : null,
      resumable ? actionButton("Resume", () => askToResume(run, (next) => goTo(`#/batches/${next}`)), "main") : null,
      actionButton("Erase", () => askToErase(run, () => goTo("#/batches")), "danger"),
    ]);
  }

  const back = el("a", { href: "#/batches" }, "All batches");
  const title = el("div", { class: "head" }, el("div", { class: "head" }, heading, badge), actions);
  return {
    title: "Batch run",
    element: el("div", { class: "stack" }, el("p", {}, back), title, body),
    refresh: () => void load(),
    onNumbers: () => !document.hidden && void load(),
  };
}
