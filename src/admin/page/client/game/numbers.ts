/** The numbers over game sessions of a timeframe: tiles of what matters, and what happened step by step. */
import { el, field, select } from "../parts/element.ts";
import { count, showClock, showDay, showDuration, showNumber, showShare } from "../parts/format.ts";
import { createStepChart } from "../parts/step-chart.ts";
import { createTile } from "../parts/tile.ts";
import { type GameAnalytics, type GameTimeframe, readAnalytics } from "./api.ts";

type Step = NonNullable<GameAnalytics["trends"]>[number];

const EVERY_MS = 30_000;
const TIMEFRAMES: Record<GameTimeframe, { words: string; stepSeconds: number }> = {
  "1h": { words: "1 hour", stepSeconds: 300 },
  "6h": { words: "6 hours", stepSeconds: 1_800 },
  "24h": { words: "24 hours", stepSeconds: 3_600 },
  "7d": { words: "7 days", stepSeconds: 21_600 },
  "30d": { words: "30 days", stepSeconds: 86_400 },
};
/** Steps of a day or so are told by their date. */
const DAYS_FROM_SECONDS = 21_600;

/** So that each line of the axis has words of its own. */
const ROUND_SECONDS = [
  1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_200, 3_600, 7_200, 10_800, 21_600, 86_400, 432_000,
];

const at = ({ period }: Step) => Date.parse(period);
const showAverage = ({ average_duration: seconds }: Step) =>
  seconds === undefined ? "–" : showDuration(seconds * 1_000);

export function createNumbers() {
  const active = createTile("Active now");
  const created = createTile("Created");
  const duration = createTile("Median duration");
  const refused = createTile("Refused actions");
  const tiles = [active, created, duration, refused].map(({ element }) => element);
  let stepSeconds = TIMEFRAMES["24h"].stepSeconds;
  const label = (ms: number) => (stepSeconds < DAYS_FROM_SECONDS ? showClock(ms) : showDay(ms));
  const name = (step: Step) =>
    stepSeconds === 86_400 || stepSeconds < DAYS_FROM_SECONDS
      ? label(at(step))
      : `${showDay(at(step))}, ${showClock(at(step))}`;
  const words = Object.entries(TIMEFRAMES).map(([value, timeframe]): [string, string] => [value, timeframe.words]);
  const choice = select(words, { onchange: () => void refresh() });
  choice.value = "24h";
  const chart = createStepChart<Step>({
    heading: "Sessions over time",
    stepName: "a step",
    controls: field("The last", choice),
    panels: [
      {
        title: "Created in the step",
        color: "--accent",
        fill: "--accent",
        kind: "bars",
        of: (step) => step.sessions_created,
      },
      {
        title: "Of these, completed",
        color: "--good",
        fill: "--good",
        kind: "bars",
        of: (step) => step.sessions_completed,
      },
      {
        title: "Their average duration",
        color: "--takeover",
        fill: "--takeover",
        kind: "bars",
        of: (step) => step.average_duration ?? null,
        show: (seconds) => showDuration(seconds * 1_000),
        distances: ROUND_SECONDS,
      },
    ],
    columns: [
      { title: "Beginning", cell: name },
      { title: "Created", cell: (step) => showNumber(step.sessions_created) },
      { title: "Completed", cell: (step) => showNumber(step.sessions_completed) },
      { title: "Average duration", cell: showAverage },
    ],
    at,
    label,
    tell: (step) =>
      `${name(step)}: ${showNumber(step.sessions_created)} created, ${showNumber(step.sessions_completed)} completed, ` +
      `${showAverage(step)} on average`,
  });
  let asked = 0;

  async function refresh(): Promise<void> {
    const mine = ++asked;
    const timeframe = choice.value as GameTimeframe;
    let numbers: GameAnalytics;
    try {
      numbers = await readAnalytics(timeframe);
    } catch {
      return; // the banner says why
    }
    if (mine !== asked) return;
    stepSeconds = TIMEFRAMES[timeframe].stepSeconds;
    show(numbers, `in the last ${TIMEFRAMES[timeframe].words}`);
    chart.show(numbers.trends ?? [], stepSeconds);
  }

  function show(numbers: GameAnalytics, since: string): void {
    const { sessions_by_status: states, sessions_by_type: types, duration_seconds: durations } = numbers;
    active.set(showNumber(numbers.active_sessions ?? 0), "sessions, whenever they were created");
    created.set(showNumber(numbers.total_sessions), `${since}, ${showNumber(types?.combat ?? 0)} of them combats`);
    const ended = (states?.completed ?? 0) + (states?.terminated ?? 0);
    duration.set(
      durations ? showDuration(durations.p50 * 1_000) : "–",
      durations
        ? `of ${count(ended, "ended one")}; 95 of 100 within ${showDuration(durations.p95 * 1_000)}`
        : "none has ended",
    );
    refused.set(showShare(numbers.error_rate ?? null), "too early, out of the match, or at nobody");
  }

  const timer = setInterval(() => !document.hidden && void refresh(), EVERY_MS);
  return {
    tiles: el("dl", { class: "tiles" }, ...tiles),
    chart: chart.element,
    refresh,
    close() {
      clearInterval(timer);
      chart.close();
    },
  };
}
