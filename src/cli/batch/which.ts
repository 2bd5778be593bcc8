/** Which session is meant: by its id, or the beginning of it. */
import { OperatorError, UsageError } from "../../errors.ts";
import { findSessions } from "../../sessions/batch/find.ts";
import { PREFIX_MIN } from "../../sessions/id-prefix.ts";
import { type Context, withDatabase } from "../context.ts";
import { type OutputOptions, printJson } from "../output.ts";
import { printSessions } from "./list.ts";

/** Runs with the id of the one session that is meant; refuses where none is, or several are, which it lists. */
export async function withSession<T>(
  idPrefix: string,
  options: OutputOptions,
  run: (context: Context, sessionId: string) => Promise<T>,
): Promise<T> {
  const prefix = idPrefix.replace(/…$/, ""); // as a narrow list shows it
  if (prefix.length < PREFIX_MIN) throw new UsageError(`an id needs at least its first ${PREFIX_MIN} characters`);
  return withDatabase(async (context) => {
    const found = await findSessions(context.database, prefix);
    const [session] = found;
    if (session === undefined) throw new OperatorError("no batch session's id begins so");
    if (found.length === 1) return run(context, session.session_id);
    if (options.json) printJson({ matches: found.map(({ session_id }) => session_id) });
    else printSessions(found);
    throw new OperatorError("several batch sessions fit, nothing was done: say more characters");
  });
}
