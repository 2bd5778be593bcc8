/** The rows among themselves: each session in one place, each key with one live row and the highest generation. */
import type { History, Violation } from "./history.ts";
import type { KeyStory } from "./story.ts";

export function checkRows(story: KeyStory, { rows }: History): Violation[] {
  const violations: Violation[] = [];
  for (const { id, active, ended } of story.sessions) {
    if (active.length + ended.length < 2) continue;
    const where = `${active.length} times in active_sessions, ${ended.length} times in the history`;
    violations.push({ rule: "twice-in-rows", sentence: `${id.slice(0, 8)} is ${where}` });
  }
  const held = story.sessions.flatMap((session) => session.active);
  if (held.length > 1) {
    const who = held.map((row) => row.sessionId.slice(0, 8)).join(" and ");
    violations.push({ rule: "two-holders", sentence: `key ${story.key} has several rows in active_sessions: ${who}` });
  }
  const highest = Math.max(0, ...story.sessions.flatMap(({ generations }) => generations.map((one) => one.generation)));
  const own = rows.keys.find((row) => row.key === story.key)?.generation ?? 0;
  if (own !== highest) {
    const sentence = `key ${story.key} stands at generation ${own}, the highest that was seen is ${highest}`;
    violations.push({ rule: "key-behind", sentence });
  }
  const [holder] = held;
  if (holder && holder.generation !== highest) {
    const sentence = `key ${story.key} is held by generation ${holder.generation}, though there was ${highest}`;
    violations.push({ rule: "two-holders", sentence });
  }
  return violations;
}
