/** The table of cron jobs inside the process. */
import cron from "node-cron";
import type { Logger } from "../log.ts";

export interface Job {
  name: string;
  /** A cron line of 5 or 6 fields. */
  line: string;
  /** Must settle by itself: a run that never ends would block all later ones. */
  run(): Promise<unknown>;
}

export interface Jobs {
  /** Starts no further run, and waits for one in progress. */
  stop(): Promise<void>;
}

/** A failing run is logged and forgotten; the next one comes anyway. */
export function scheduleJobs(jobs: Job[], log: Logger): Jobs {
  const underWay = new Set<Promise<void>>();
  const tasks = jobs.map((job) =>
    cron.schedule(
      job.line,
      () => {
        const run = Promise.resolve()
          .then(() => job.run())
          .then(() => {})
          .catch((err) => log.error({ err, job: job.name }, "the job failed"))
          .finally(() => underWay.delete(run));
        underWay.add(run);
        return run;
      },
      { name: job.name, noOverlap: true, logger: quietLogger(log) },
    ),
  );
  return {
    async stop() {
      await Promise.all(tasks.map((task) => task.destroy()));
      await Promise.all(underWay);
    },
  };
}

/** node-cron reports missed ticks on the console; they belong in our log, and not as an alarm. */
function quietLogger(log: Logger) {
  const say = (message: string | Error) => log.debug(String(message));
  return { info: say, warn: say, debug: say, error: say };
}
