/** What is known of a game session and its match, fact by fact. */
import { el, fact } from "../parts/element.ts";
import { age, count, dateTime, showDuration, showNumber } from "../parts/format.ts";
import { longText } from "../parts/long-text.ts";
import type { GameReply } from "./api.ts";
import { STATES, showEnding } from "./game-state.ts";

export function tellFacts({ session, match }: GameReply): HTMLElement[] {
  const { ended_at: ended, metadata, settings, stats } = session;
  const ending = showEnding(session);
  const status = STATES[match?.status ?? session.status].words;
  const facts: Parameters<typeof fact>[] = [
    ["Status", ending ? `${status}: ${ending}` : status],
    ["Made by", whole(session.player_id), "wide"],
    ["Created", age(session.created_at)],
    ended === undefined ? ["Last change", age(session.updated_at)] : ["Ended", dateTime(ended)],
  ];
  if (stats) facts.push(["Played, without pauses", showDuration(stats.duration_seconds * 1_000)]);
  if (match) {
    const { stats: numbers } = match;
    facts.push([
      "Actions",
      `${showNumber(numbers.total_actions)}, ${numbers.performance_metrics.actions_per_minute} a minute`,
    ]);
    facts.push(["Refused", count(stats?.errors_count ?? 0, "action")]);
    facts.push(["Damage", showNumber(numbers.total_damage)]);
    facts.push(["Eliminated", showNumber(numbers.eliminations)]);
    if (numbers.winner !== undefined) facts.push(["Winner", whole(numbers.winner), "wide"]);
  }
  facts.push(["Version", String(session.version)]);
  facts.push(["Id", whole(session.session_id), "wide"]);
  if (settings) facts.push(["Settings", longText(JSON.stringify(settings)), "wide"]);
  if (metadata) facts.push(["Metadata", longText(JSON.stringify(metadata)), "wide"]);
  return facts.map((one) => fact(...one));
}

const whole = (id: string) => el("span", { class: "mono breakable" }, id);
