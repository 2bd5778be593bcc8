/** Which session is meant: by its id, or the beginning of it. */
import type { Database } from "../database/database.ts";
import { OperatorError, UsageError } from "../errors.ts";
import { PREFIX_MIN } from "../sessions/id-prefix.ts";
import { type Context, withDatabase } from "./context.ts";
import { type OutputOptions, printJson } from "./output.ts";

export interface Meant<Session> {
  /** As in "batch session". */
  noun: string;
  /** Those whose id begins so. */
  find(database: Database, idPrefix: string): Promise<Session[]>;
  print(sessions: Session[]): void;
}

/** Runs with the one session that is meant; refuses where none is, or several are, which it lists. */
export async function withMeant<Session extends { session_id: string }, T>(
  { noun, find, print }: Meant<Session>,
  idPrefix: string,
  options: OutputOptions,
  run: (context: Context, session: Session) => Promise<T>,
): Promise<T> {
  const prefix = idPrefix.replace(/…$/, ""); // as a narrow list shows it
  if (prefix.length < PREFIX_MIN) throw new UsageError(`an id needs at least its first ${PREFIX_MIN} characters`);
  return withDatabase(async (context) => {
    const found = await find(context.database, prefix);
    const [session] = found;
    if (session === undefined) throw new OperatorError(`no ${noun}'s id begins so`);
    if (found.length === 1) return run(context, session);
    if (options.json) printJson({ matches: found.map(({ session_id }) => session_id) });
    else print(found);
    throw new OperatorError(`several ${noun}s fit, nothing was done: say more characters`);
  });
}
