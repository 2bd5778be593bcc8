/** What is said of a session, on the screen and in lines. */
import type { KeptEvent } from "../../../events/replay.ts";
import type { BatchRow } from "../../../sessions/batch/sql.ts";
import { oneLine } from "../../fields.ts";
import { span } from "../../output.ts";
import { percentOf } from "../list.ts";
import { countsOf } from "../show.ts";

export const processedOf = (run: BatchRow): number => run.completed_nodes + run.failed_nodes + run.skipped_nodes;

export function sayWho(run: BatchRow): string[] {
  return [
    oneLine(run.canvas_path),
    run.status,
    run.attempt === 0 ? "no worker yet" : `${oneLine(run.worker ?? "a worker")}, attempt ${run.attempt}`,
  ];
}

/** `pace`: nodes a second; undefined: not known yet. */
export function sayPace(run: BatchRow, pace: number | undefined): string[] {
  const toDo = run.node_count - processedOf(run);
  if (run.status !== "running" || toDo === 0 || pace === undefined) return [];
  if (pace <= 0) return ["no node of late"];
  const rate = pace >= 0.2 ? `${pace.toFixed(1)} nodes a second` : `${(pace * 60).toFixed(1)} nodes a minute`;
  return [rate, `about ${span(toDo / pace)} left`];
}

export function sayProgress(run: BatchRow, pace: number | undefined): string[] {
  const message = run.message === null ? [] : [oneLine(run.message)];
  return [percentOf(run), ...countsOf(run), ...sayPace(run, pace), ...message];
}

export function sayEnd(run: BatchRow): string {
  const { status, error_message, completed_at, resumed_as } = run;
  const seconds = ((completed_at ?? run.updated_at).getTime() - (run.started_at ?? run.created_at).getTime()) / 1000;
  const why = error_message === null ? "" : `: ${oneLine(error_message)}`;
  const on = resumed_as === null ? "" : `; resumed as ${resumed_as}`;
  return `${status} after ${span(seconds)}${why} · ${countsOf(run).join(" · ")}${on}`;
}

/** What the events carry that is told of. */
export interface EventData {
  node_id?: string;
  status?: string;
  error?: string;
  group_id?: string | number;
  worker?: string | null;
  attempt?: number;
}

export const dataOf = ({ data }: KeptEvent): EventData => (data as { data: EventData }).data;

export const describeFailed = ({ node_id = "", error }: { node_id?: string; error?: string | null }): string =>
  `${oneLine(node_id)} failed${error ? `: ${oneLine(error)}` : ""}`;

/** The nodes of which these events say that they have failed. */
export const failedIn = (events: KeptEvent[]): EventData[] =>
  events.map(dataOf).filter(({ node_id, status }) => node_id !== undefined && status === "failed");
