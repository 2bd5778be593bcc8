import cluster from "node:cluster";
import type { Command } from "commander";
import { readConfig } from "../config.ts";
import { createLog } from "../log.ts";
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
      for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => stop());
      if (cluster.isWorker) process.once("disconnect", () => stop()); // the primary is gone

      const service = await serve(config, log, (line) => console.log(line)).catch((error: Error) => {
        if (!cluster.isWorker) throw error;
        reportFailure(error);
      });
      if (!service) return;
      if (options.json) console.log(JSON.stringify({ listening: service.url }));
      await asked;
      setTimeout(() => process.exit(1), STOP_MS).unref();
      if (!cluster.isWorker) log.info("stopping");
      await service.stop();
      process.exit(0);
    });
}
