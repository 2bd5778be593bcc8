/** Batch sessions as Prometheus sees them. */
import { gauge, type Samples } from "../../metrics/samples.ts";
import { ENDED_REASONS } from "./states.ts";
import type { BatchNumbers } from "./upkeep-sql.ts";

export function describeBatches(numbers: BatchNumbers): Samples {
  return [
    gauge("keybeat_batch_sessions", "Batch sessions that are not over", "max", [
      [{ status: "pending" }, numbers.pending],
      [{ status: "running" }, numbers.running],
    ]),
    gauge(
      "keybeat_batch_sessions_without_worker",
      "Of them, those that nobody has claimed for a minute, or whose worker was not heard of for as long",
      "max",
      [
        [{ status: "pending" }, numbers.pending_alone],
        [{ status: "running" }, numbers.running_alone],
      ],
    ),
    gauge(
      "keybeat_batch_sessions_ended_last_hour",
      "Batch sessions that ended within the last hour, by why",
      "max",
      ENDED_REASONS.map((reason) => [{ reason }, numbers.ended[reason] ?? 0]),
    ),
  ];
}
