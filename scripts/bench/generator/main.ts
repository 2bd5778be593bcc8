/** The load generator: a process of its own that obeys its parent and ends with it. */
import { runLoad } from "./closed-loop.ts";
import { createFleet, type Fleet } from "./fleet.ts";
import type { FromGenerator, LoadJob, ScaleJob, ScaleStart, ToGenerator } from "./protocol.ts";
import { openScale, type ScaleRun } from "./scale-run.ts";

let fleet: Fleet | undefined;
let scale: ScaleRun | undefined;

const say = (message: FromGenerator) => process.send?.(message);

const carryOut: { [K in ToGenerator["kind"]]: (message: never) => Promise<void> } = {
  async prepare({ sessions }: { sessions: number }) {
    fleet = createFleet(sessions);
    say({ kind: "prepared" });
  },
  async load(job: LoadJob) {
    say({ kind: "loaded", report: await runLoad(job) });
  },
  async scale(job: ScaleJob) {
    scale = await openScale(job, fleet as Fleet, say);
    say({ kind: "watching" });
  },
  async start({ startAt }: ScaleStart) {
    await scale?.run(startAt);
  },
};

process.on("message", (message: ToGenerator) => {
  carryOut[message.kind](message as never).catch((error) => {
    throw error; // ends the process, which tells the parent
  });
});
process.on("disconnect", () => process.exit());
process.on("SIGINT", () => {}); // the parent handles Ctrl-C, and ends us in order
