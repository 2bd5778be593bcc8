import cluster from "node:cluster";
import type { Command } from "commander";
import { readConfig } from "../config.ts";
import { createLog } from "../log.ts";
import { createLogOutput } from "../log-output.ts";
import { serve } from "../main.ts";
import { reportFailure } from "../workers.ts";

const STOP_MS = 9_500;

export function addServeCommand(program: Command): void {
  program
    .command("serve")
    .description("run the service (settings come from the environment, see the README)")
    .option("--json", "print the ready line as JSON too")
    .action(async (options: { json?: boolean }) => {
      const config = readConfig();
      const log = createLog(config.logLevel);
      // Waiting for a service that starts would hold up a Ctrl-C; so it is remembered, and obeyed once it has started.
      let stop = () => {};
      const asked = new Promise<void>((resolve) => {
        stop = resolve;
      });
      // SIGHUP and SIGBREAK: the terminal was closed.
      for (const signal of ["SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK"] as const) process.on(signal, () => stop());
      if (cluster.isWorker) {
        process.once("disconnect", () => stop()); // the primary is gone
        process.on("error", () => {}); // as of the channel to it
      }

      // As the log: a full disk under it must not stop the service.
      const output = createLogOutput(1);
      const print = (line: string) => output.write(`${line}\n`);
      const service = await serve(config, log, print).catch((error: Error) => {
        if (!cluster.isWorker) throw error;
        reportFailure(error);
      });
      if (!service) return;
      if (options.json) print(JSON.stringify({ listening: service.url }));
      await asked;
      setTimeout(() => process.exit(1), STOP_MS).unref();
      if (!cluster.isWorker) log.info("stopping");
      await service.stop();
      process.exit(0);
    });
}
