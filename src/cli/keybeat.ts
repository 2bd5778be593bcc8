#!/usr/bin/env node
/** The `keybeat` command: parses the arguments, runs the command, exits 0 (done), 1 (refused) or 2 (wrong usage). */
import { Command, CommanderError } from "commander";
import { AppError, OperatorError, UsageError } from "../errors.ts";
import { readVersion } from "../version.ts";
import { addBatchCommands } from "./batch/index.ts";
import { addCheckCommand } from "./check/index.ts";
import { addCleanupCommand } from "./cleanup.ts";
import { addDoctorCommand } from "./doctor/index.ts";
import { addGamesCommands } from "./games/index.ts";
import { addKeysCommands } from "./keys/index.ts";
import { addMigrateCommand } from "./migrate.ts";
import { addServeCommand } from "./serve.ts";
import { addSessionsCommands } from "./sessions/index.ts";
import { Stopped } from "./signals.ts";
import { addSigningKeyCommands } from "./signing-key/index.ts";
import { addTokenCommand } from "./token.ts";
import { addTopCommand } from "./top/index.ts";

const program = new Command("keybeat")
  .description("One live device per access key: a session service on PostgreSQL")
  .version(readVersion())
  .configureHelp({ showGlobalOptions: true })
  .showHelpAfterError("(keybeat --help lists the commands)")
  .exitOverride()
  .addHelpText(
    "after",
    `
Without DATABASE_URL every command uses the embedded PostgreSQL in DATA_DIR (.keybeat), also while it is being served.

Exit codes: 0 done, 1 refused or failed (a line on stderr says why), 2 wrong usage.

Examples:
  keybeat serve                                  run the service, with an embedded PostgreSQL
  keybeat keys create --label "ACME" --expires 30d
  keybeat keys import keys.csv
  keybeat sessions list
  keybeat batch follow ID                        a long run, live to its end; exit code 0: it completed
  keybeat games follow ID                        a match, live to its end
  keybeat token --sub UUID                       a player's token, to try the game routes
  keybeat top                                    who is on, and what happens, live
  keybeat doctor                                 what is wrong, and how to mend it
  keybeat check http://127.0.0.1:3000 --key KEY  is that server right?`,
  );

addServeCommand(program);
addMigrateCommand(program);
addCleanupCommand(program);
addKeysCommands(program);
addSessionsCommands(program);
addBatchCommands(program);
addGamesCommands(program);
addCheckCommand(program);
addDoctorCommand(program);
addTopCommand(program);
addTokenCommand(program);
addSigningKeyCommands(program);

// A closed output pipe (`| head`) is no failure, nor is a closed terminal.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE" && error.code !== "EIO") throw error;
});

try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = report(error);
}

function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2; // it has printed its message already
  if (error instanceof Stopped) {
    console.error(`keybeat: ${error.message}`);
    process.exit(error.exitCode); // unfinished work may keep the process alive
  }
  const known = error instanceof AppError || error instanceof OperatorError || error instanceof UsageError;
  const cause = known && error.cause !== undefined ? ` (${reasonOf(error.cause)})` : "";
  console.error(`keybeat: ${known ? error.message + cause : `unexpected: ${reasonOf(error)}`}`);
  return error instanceof UsageError ? 2 : 1;
}

/** The innermost cause says most. */
function reasonOf(error: unknown): string {
  const { message, cause } = error as Partial<Error>;
  return cause === undefined ? (message ?? String(error)) : reasonOf(cause);
}
