/** Draws a session as lines of text that fit the terminal. */
import type { BatchRow } from "../../../sessions/batch/sql.ts";
import { oneLine } from "../../fields.ts";
import type { Picture } from "../../follow/index.ts";
import { paint, shorten, wrap } from "../../output.ts";
import { percentOf } from "../list.ts";
import { countsOf } from "../show.ts";
import { createPace } from "./pace.ts";
import { describeFailed, failedIn, processedOf, sayEnd, sayPace, sayProgress, sayWho } from "./words.ts";

const PERCENT_PLACES = 9;
const BAR_PLACES_MAX = 100;

/** `failures`: those that are known, the newest first. */
export function openRunPicture(known: BatchRow, failures: string[], failuresMax: number): Picture<BatchRow> {
  let run = known;
  const readPace = createPace();
  let pace: number | undefined;
  let shown = failures;
  return {
    see({ session, events }) {
      run = session;
      pace = readPace(processedOf(run));
      const newest = failedIn(events).reverse().map(describeFailed);
      shown = [...new Set([...newest, ...shown])].slice(0, failuresMax); // the first look may bring known ones
    },
    draw({ columns }) {
      const message = run.message === null ? [] : [shorten(oneLine(run.message), columns)];
      return [
        ...wrap(sayWho(run), columns).map((line) => paint("bold", line)),
        drawBar(run, columns),
        ...wrap(countsOf(run), columns),
        ...wrap(pace === undefined ? ["pace …"] : sayPace(run, pace), columns),
        ...message,
        "",
        ...shown.map((failure) => paint("red", shorten(failure, columns))),
      ];
    },
    farewell: () => (run.completed_at === null ? sayProgress(run, pace).join(" · ") : sayEnd(run)),
  };
}

function drawBar(run: BatchRow, columns: number): string {
  const percent = percentOf(run);
  const places = Math.min(BAR_PLACES_MAX, columns - PERCENT_PLACES);
  if (places < 4) return shorten(percent, columns);
  const filled = Math.floor((places * run.progress_percent) / 100);
  const failed = Math.ceil((filled * run.failed_nodes) / Math.max(1, processedOf(run)));
  const done = paint("green", "█".repeat(filled - failed)) + paint("red", "█".repeat(failed));
  return `${done}${"░".repeat(places - filled)} ${percent}`;
}
