/** Tells of a session in lines: for a file, a pipe or a program. */
import type { KeptEvent } from "../../../events/replay.ts";
import type { BatchRow } from "../../../sessions/batch/sql.ts";
import { oneLine } from "../../fields.ts";
import type { Tell } from "../../follow/index.ts";
import { createPace } from "./pace.ts";
import { dataOf, describeFailed, failedIn, processedOf, sayEnd, sayProgress, sayWho } from "./words.ts";

/** What changes all the time is told this often. */
const PROGRESS_EVERY_MS = 5000;
const FAILED_SHOWN = 10;

/** Each change a line, with the moment at which it was seen. */
export function tellInLines(print: (line: string) => void): Tell<BatchRow> {
  const readPace = createPace();
  let told = "";
  let toldAt = Number.NEGATIVE_INFINITY;
  const line = (text: string) => print(`${new Date().toISOString().slice(0, 19)}Z  ${text}`);
  return ({ session: run, events, state }) => {
    const pace = readPace(processedOf(run));
    if (told === "") line(sayWho(run).join(" · "));
    for (const text of describeEvents(events)) line(text);
    const now = JSON.stringify(state?.values);
    const isOver = run.completed_at !== null;
    if (!isOver && now !== told && performance.now() - toldAt >= PROGRESS_EVERY_MS) {
      line(sayProgress(run, pace).join(" · "));
      toldAt = performance.now();
      told = now;
    }
    if (isOver) line(sayEnd(run));
  };
}

/** Without the end, which the session itself says. */
function describeEvents(events: KeptEvent[]): string[] {
  const failed = failedIn(events);
  const lines = failed.slice(0, FAILED_SHOWN).map(describeFailed);
  if (failed.length > FAILED_SHOWN) lines.push(`and ${failed.length - FAILED_SHOWN} more nodes failed`);
  for (const kept of events) {
    const data = dataOf(kept);
    if (kept.event === "started") lines.push("running");
    if (kept.event === "attempt") lines.push(`${oneLine(data.worker ?? "a worker")} has it, attempt ${data.attempt}`);
    if (kept.event === "group_complete") lines.push(`group ${oneLine(String(data.group_id))} ${data.status}`);
  }
  return lines;
}
