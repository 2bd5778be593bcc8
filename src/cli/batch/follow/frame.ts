/** Draws a session as lines of text that fit the terminal. */
import type { BatchRow } from "../../../sessions/batch/sql.ts";
import { ago, clean, paint, shorten, wrap } from "../../output.ts";
import { percentOf } from "../list.ts";
import { countsOf, oneLine } from "../show.ts";
import { processedOf, sayPace, sayWho } from "./words.ts";

export interface View {
  run: BatchRow;
  /** By this machine's clock. */
  seenAt: number;
  pace: number | undefined;
  /** The newest first. */
  failures: string[];
  /** Why the database cannot be asked now. */
  unavailable: string | undefined;
}

const PERCENT_PLACES = 9;
const BAR_PLACES_MAX = 100;

export function drawRun(view: View, { columns, rows }: { columns: number; rows: number }): string[] {
  const { run } = view;
  const pace = view.pace === undefined ? ["pace …"] : sayPace(run, view.pace);
  const message = run.message === null ? [] : [shorten(oneLine(run.message), columns)];
  const lines = [
    ...drawOutage(view, columns),
    ...wrap(sayWho(run), columns).map((line) => paint("bold", line)),
    drawBar(run, columns),
    ...wrap(countsOf(run), columns),
    ...wrap(pace, columns),
    ...message,
    "",
    ...view.failures.map((failure) => paint("red", shorten(failure, columns))),
  ];
  return lines.slice(0, Math.max(1, rows));
}

function drawOutage({ unavailable, seenAt }: View, columns: number): string[] {
  if (unavailable === undefined) return [];
  const words = `the database is away · last seen ${ago(new Date(seenAt))} · ${clean(unavailable)}`.split(" ");
  return wrap(words, columns, " ").map((line) => paint("red", line));
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
