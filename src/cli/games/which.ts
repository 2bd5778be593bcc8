import { findSessions } from "../../sessions/game/find.ts";
import type { Context } from "../context.ts";
import type { OutputOptions } from "../output.ts";
import { withMeant } from "../which.ts";
import { printSessions } from "./list.ts";

const MEANT = { noun: "game session", find: findSessions, print: printSessions };

/** Runs with the id of the one session that is meant. */
export function withSession<T>(
  idPrefix: string,
  options: OutputOptions,
  run: (context: Context, sessionId: string) => Promise<T>,
): Promise<T> {
  return withMeant(MEANT, idPrefix, options, (context, { session_id }) => run(context, session_id));
}
