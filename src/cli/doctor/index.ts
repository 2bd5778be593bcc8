/**
 * `keybeat doctor`: what is wrong with this installation, and how to mend it. It looks and changes nothing; the most
 * that it costs the database is one sequential count of the live sessions.
 */
import type { Command } from "commander";
import { type Config, readConfig } from "../../config.ts";
import { SHARED_TABLES } from "../../database/schema.ts";
import { OperatorError } from "../../errors.ts";
import { device } from "../../sessions/device/kind.ts";
import { KINDS, settingsOf } from "../../sessions/kinds.ts";
import { clean, type OutputOptions, paint, printJson } from "../output.ts";
import { findTarget } from "../target.ts";
import { checkConnection } from "./connection.ts";
import { type Finding, fail, ok } from "./finding.ts";
import { checkDataDir, checkNode, checkPort } from "./host.ts";
import { checkLimits } from "./limits.ts";
import { checkPrograms } from "./programs.ts";
import { checkServer } from "./server.ts";
import { checkSecrets, checkSettings, checkSigningKeys, checkUserTokens, usableSettings } from "./settings.ts";
import { type Examined, examine, readFacts } from "./sql.ts";
import { checkTables } from "./tables.ts";

export function addDoctorCommand(program: Command): void {
  program
    .command("doctor")
    .description("look at the settings, the host and the database: what is wrong, and how to mend it")
    .option("--json", "print a finding a line as JSON: check, state, message, mend")
    .addHelpText("after", HELP)
    .action(async (options: OutputOptions) => {
      let failed = 0;
      for await (const finding of examineAll()) {
        if (finding.state === "fail") failed++;
        if (options.json) printJson(finding);
        else console.log(lineOf(finding));
      }
      if (failed > 0) throw new OperatorError(`${failed} thing(s) must be mended`);
    });
}

const HELP = `
Prints a line a check: OK, WARN (it works, but not well or not for long) or FAIL, with what is wrong and how to mend
it. It changes nothing, and may run beside the service. Give it the same environment as the service.

Exit codes: 0 nothing failed, 1 something must be mended, 2 wrong usage.`;

async function* examineAll(): AsyncGenerator<Finding> {
  yield checkNode();
  yield* checkSettings();
  const { env, left: bad } = usableSettings();
  const config = readConfig(env);
  yield* checkUserTokens(config);
  yield* checkSecrets(config, env);
  yield* checkSigningKeys(config);
  yield* await checkDataDir(config);
  if (!bad.has("DATABASE_URL")) yield* await checkPrograms(config);
  yield* checkLimits(config);
  if (!bad.has("PORT") && !bad.has("HOST")) yield await checkPort(config);
  if (bad.has("DATABASE_URL")) {
    yield fail("database", "it is not known which, so nothing of it was looked at", "correct DATABASE_URL first");
    return;
  }
  yield* checkDatabase(config);
}

async function* checkDatabase(config: Config): AsyncGenerator<Finding> {
  const target = await findTarget(config);
  if ("missing" in target) {
    yield ok("database", target.missing);
    return;
  }
  const opened: Examined = examine(target.url);
  try {
    const reached = await checkConnection(opened, target.url);
    yield reached;
    if (reached.state === "fail") return;
    const facts = await readFacts(opened, [...SHARED_TABLES, ...KINDS.flatMap(({ tables }) => tables)]);
    yield* checkServer(facts, { config, embedded: target.embedded, url: target.url });
    yield* checkTables(facts, settingsOf(device, config.kinds));
  } catch (error) {
    // The checks themselves are simple reads: whatever keeps them from running is worth a line of its own.
    yield fail("database", `it answers, but not to the checks: ${reasonOf(error)}`, "look into the log of PostgreSQL");
  } finally {
    await opened.close();
  }
}

function lineOf({ check, state, message, mend }: Finding): string {
  const colour = { ok: "green", warn: "yellow", fail: "red" } as const;
  const word = paint(colour[state], state.toUpperCase().padEnd(4));
  return `${word} ${check.padEnd(14)} ${clean(message + (mend === undefined ? "" : `; ${mend}`))}`;
}

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
