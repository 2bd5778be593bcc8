import { printJson } from "../output.ts";
import type { Seen } from "./follower.ts";

/** The events as the event stream has them, how it stands before its end. */
export function tellInJson<Row>(isOver: (session: Row) => boolean): (seen: Seen<Row>) => void {
  let told: string | undefined;
  return ({ session, events, state }) => {
    const end = isOver(session) ? events.at(-1) : undefined;
    for (const kept of events) if (kept !== end) printJson(kept.data);
    const now = JSON.stringify(state?.values);
    if (state && now !== told) printJson(state.data);
    told = now;
    if (end) printJson(end.data);
  };
}
