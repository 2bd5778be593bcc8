/** What is known of a run, fact by fact, and of each of its groups. */
import { el, fact } from "../parts/element.ts";
import { age, dateTime, serverNow, showClockWithSeconds, showDuration } from "../parts/format.ts";
import { longText } from "../parts/long-text.ts";
import { showProgress } from "../parts/progress.ts";
import type { BatchItem, GroupItem } from "./api.ts";
import { groupBadge, groupDone, STATES, showEnding } from "./run-state.ts";

export function tellFacts(run: BatchItem): HTMLElement[] {
  const { completed_at: ended, attempt, worker, metadata } = run;
  const ending = showEnding(run);
  const facts: Parameters<typeof fact>[] = [
    ["Status", ending ? `${STATES[run.status].words}: ${ending}` : STATES[run.status].words],
    ["Worker", attempt === 0 ? "none yet" : (worker ?? "one without a name")],
    ["Attempt", attempt === 0 ? "none yet" : String(attempt)],
    ["Created", age(run.created_at)],
    ["Started", run.started_at === null ? "not yet" : dateTime(run.started_at)],
    ended === null ? ["Last change", age(run.updated_at)] : ["Ended", dateTime(ended)],
  ];
  if (ended !== null)
    facts.push(["Took", showDuration(Date.parse(ended) - Date.parse(run.started_at ?? run.created_at))]);
  if (run.silent_until !== null) facts.push(["Must report by", showLimit(run.silent_until)]);
  if (ended === null)
    facts.push(["Must be done by", run.deadline_at === null ? "no limit" : showLimit(run.deadline_at)]);
  if (run.resumed_from !== null) facts.push(["Resumes", runLink(run.resumed_from)]);
  if (run.resumed_as !== null) facts.push(["Resumed as", runLink(run.resumed_as)]);
  if (run.message !== null) facts.push(["Last message", longText(run.message), "wide"]);
  facts.push(["Id", el("span", { class: "mono breakable" }, run.session_id), "wide"]);
  if (Object.keys(metadata).length > 0) facts.push(["Metadata", longText(JSON.stringify(metadata)), "wide"]);
  return facts.map((one) => fact(...one));
}

/** Why it did not go well, where it did not. */
export function tellTrouble({ error_message }: BatchItem): HTMLElement[] {
  return error_message ? [el("div", { class: "problem" }, el("strong", {}, "Error: "), longText(error_message))] : [];
}

export function showGroup(group: GroupItem, run: BatchItem): HTMLElement {
  const name = String(group.group_id);
  const title = el(
    "span",
    { class: "breakable" },
    el("strong", {}, name),
    el("span", { class: "sub" }, group.agent_type),
  );
  return el(
    "li",
    {},
    el("div", { class: "head" }, title, groupBadge(group, run)),
    showProgress(`Progress of group ${name}`, groupDone(group, run)),
  );
}

function showLimit(iso: string): HTMLElement {
  const at = Date.parse(iso);
  const time = el("time", { datetime: iso }, showClockWithSeconds(at));
  return el("span", {}, time, el("span", { class: "sub" }, `in ${showDuration(at - serverNow())}`));
}

const runLink = (id: string) => el("a", { href: `#/batches/${id}`, class: "mono", title: id }, `${id.slice(0, 8)}…`);
