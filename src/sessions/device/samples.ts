/** Device sessions as Prometheus sees them. */
import type { Database } from "../../database/database.ts";
import { STATUS } from "../../errors.ts";
import type { AnswerCode, RouteCounts } from "../../metrics/counts.ts";
import { counter, gauge, histogram, type Samples, shed } from "../../metrics/samples.ts";
import type { DeviceCounts } from "./counts.ts";
import { countSessions } from "./live-sql.ts";
import { readTrustNumbers } from "./trust-numbers-sql.ts";

const HEARTBEAT = "/api/session/heartbeat";
const START = "/api/session/start";
const LEASE = "/api/session/lease";

/** What this process has counted; `routes` are those of all kinds. */
export function describeSessions(counts: DeviceCounts, routes: RouteCounts[]): Samples {
  const { starts, pingPongs, copies, signOuts, batches } = counts;
  const codesOf = (path: string) =>
    routes
      .filter(({ route }) => route === path)
      .flatMap(({ codes }) => Object.entries(codes) as [AnswerCode, number][]);
  const answered = (asked: AnswerCode) =>
    [START, HEARTBEAT, LEASE].flatMap(codesOf).reduce((sum, [code, count]) => sum + (code === asked ? count : 0), 0);
  const refused = ([code]: [AnswerCode, number]) => code !== "ok" && STATUS[code] < 500;
  return [
    counter(
      "keybeat_session_starts_total",
      "Sessions started, by what they found: a free key, another device, or themselves",
      Object.entries(starts).map(([found, count]) => [{ found }, count]),
    ),
    counter(
      "keybeat_takeover_ping_pongs_total",
      "Starts told to wait, as two devices took a key from each other again and again",
      [[{}, pingPongs]],
    ),
    counter(
      "keybeat_session_copies_total",
      "Sessions ended because two processes proved that they use one session id",
      [[{}, copies]],
    ),
    counter(
      "keybeat_proof_refusals_total",
      "Starts, heartbeats and requests for a lease that did nothing for a live session: challenged, or without its proof",
      (["proof_challenge", "proof_required"] as const).map((code) => [{ code }, answered(code)]),
    ),
    counter(
      "keybeat_owner_sign_outs_total",
      "Sessions ended by the owner of the key, on the page /key or by its call",
      [[{}, signOuts]],
    ),
    counter(
      "keybeat_start_refusals_total",
      "Starts refused, by the code of the answer",
      codesOf(START)
        .filter(refused)
        .map(([code, count]) => [{ code }, count]),
    ),
    counter(
      "keybeat_heartbeats_total",
      "Heartbeats answered: live, or the code of the answer",
      codesOf(HEARTBEAT).map(([code, count]) => [{ outcome: code === "ok" ? "live" : code }, count]),
    ),
    histogram("keybeat_heartbeat_batch_size", "Heartbeats that travel to the database together", [[{}, batches.sizes]]),
    shed([[{ place: "heartbeat_queue" }, batches.shed + batches.late]]),
  ];
}

/** What the database says of the installation. */
export async function readPopulation(database: Database): Promise<Samples> {
  const { live, silent, overdue_seconds } = await countSessions(database.background);
  const { leases, may_be_copied } = await readTrustNumbers(database.background);
  return [
    gauge("keybeat_live_sessions", "Live sessions of the installation", "max", [[{}, live]]),
    gauge("keybeat_silent_sessions", "Expired, waiting for the cleanup", "max", [[{}, silent]]),
    gauge("keybeat_silent_overdue_seconds", "How long the first expired session has waited for the cleanup", "max", [
      [{}, overdue_seconds],
    ]),
    gauge("keybeat_leases", "Keys that a device holds to work offline", "max", [[{}, leases]]),
    gauge("keybeat_sessions_that_may_be_copied", "Live sessions heard of about twice as often as asked", "max", [
      [{}, may_be_copied],
    ]),
  ];
}
