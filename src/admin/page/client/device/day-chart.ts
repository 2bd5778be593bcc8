/** The last day by hour: live sessions above, takeovers below. */
import { showClock, showNumber } from "../parts/format.ts";
import { createStepChart } from "../parts/step-chart.ts";
import type { NumbersReply } from "./api.ts";

type Hour = NumbersReply["hours"][number];
type Counted = Exclude<keyof Hour, "hour">;

export const HOUR_S = 3_600;

const at = ({ hour }: Hour) => Date.parse(hour);

export const createDayChart = () =>
  createStepChart<Hour>({
    heading: "The last 24 hours",
    stepName: "an hour",
    panels: [
      {
        title: "Live sessions, highest in the hour",
        color: "--accent",
        fill: "--area",
        kind: "line",
        of: (hour) => hour.live_peak,
      },
      {
        title: "Takeovers in the hour",
        color: "--takeover",
        fill: "--takeover",
        kind: "bars",
        of: (hour) => hour.takeovers,
      },
    ],
    columns: [
      { title: "Hour", cell: (hour) => showClock(at(hour)) },
      counted("Live (peak)", "live_peak"),
      counted("Starts", "starts"),
      counted("Takeovers", "takeovers"),
      counted("Refused", "refusals"),
      counted("Expired", "expiries"),
      counted("Ended", "ends"),
      counted("Revoked", "revocations"),
      counted("In use twice", "copies"),
    ],
    at,
    label: showClock,
    tell: (hour) =>
      `${showClock(at(hour))}: ${hour.live_peak === null ? "live not counted" : `${showNumber(hour.live_peak)} live at most`}, ` +
      `${showNumber(hour.starts)} starts, ${showNumber(hour.takeovers)} takeovers, ${showNumber(hour.refusals)} refused`,
  });

function counted(title: string, of: Counted) {
  const cell = (hour: Hour) => {
    const n = hour[of];
    return n === null ? "–" : showNumber(n);
  };
  return { title, cell };
}
