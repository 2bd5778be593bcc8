/**
 * Whether a server's log stayed what an operator can read while somebody attacked: JSON lines, and no alarm for what is
 * the sender's fault. An attacker who can write errors with stacks into the log hides what happens beside it.
 */
import { parseJson } from "../load/call.ts";

const ERROR_LEVEL = 50;
const SHOWN_MAX = 3;

export function judgeLog(log: string): string[] {
  const alarms = new Map<string, number>();
  const note = (what: string) => alarms.set(what, (alarms.get(what) ?? 0) + 1);
  for (const line of log.split("\n")) {
    if (line === "" || line.startsWith("listening on ")) continue;
    const entry = parseJson(line) as { level?: number; msg?: string; err?: { message?: string } } | undefined;
    if (entry === undefined) note(`is no JSON: ${line.slice(0, 120)}`);
    else if ((entry.level ?? 0) >= ERROR_LEVEL) note(`is an error: ${entry.msg}, ${entry.err?.message}`);
  }
  return [...alarms].slice(0, SHOWN_MAX).map(([what, times]) => `a line of a server's log (${times} times) ${what}`);
}
