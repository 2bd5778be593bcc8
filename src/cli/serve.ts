import cluster from "node:cluster";
import type { Command } from "commander";
import { readConfig } from "../config.ts";
import { createLog } from "../log.ts";
import { createLogOutput } from "../log-output.ts";
import { serve } from "../main.ts";
import { reportFailure } from "../workers.ts";
import { Stopped, stopAtSignal } from "./signals.ts";

const STOP_MS = 9_500;
/** A host often starts its programs before its database. */
const DATABASE_AWAY_MS = 60_000;

export function addServeCommand(program: Command): void {
  program
    .command("serve")
    .description("run the service (settings come from the environment, see the README)")
    .option("--json", "print the ready line as JSON too")
    .action(async (options: { json?: boolean }) => {
      const config = readConfig();
      const log = createLog(config.logLevel);
      const stopping = stopAtSignal();
      const stop = AbortSignal.any([stopping.stop, primaryGone()]);
      const asked = new Promise<void>((resolve) => stop.addEventListener("abort", () => resolve()));

      // Like the log: a full disk must not stop the service.
      const output = createLogOutput(1);
      const print = (line: string) => output.write(`${line}\n`);
      const say = (line: string) => log.warn(line);
      const service = await serve(config, log, print, { awayMs: DATABASE_AWAY_MS, say, stop }).catch((error: Error) => {
        if (!cluster.isWorker) throw error;
        if (stop.aborted) process.exit(1); // the primary, which stopped it, says why
        reportFailure(error);
      });
      if (!service) return;
      stopping.release();
      if (options.json) print(JSON.stringify({ listening: service.url }));
      await asked;
      setTimeout(() => process.exit(1), STOP_MS).unref();
      if (!cluster.isWorker) log.info("stopping");
      await service.stop();
      process.exit(0);
    });
}

/** In a worker: aborts when the primary is gone. */
function primaryGone(): AbortSignal {
  const controller = new AbortController();
  if (cluster.isWorker) {
    process.once("disconnect", () => controller.abort(new Stopped("SIGTERM")));
    process.on("error", () => {}); // errors of the channel to it
  }
  return controller.signal;
}
