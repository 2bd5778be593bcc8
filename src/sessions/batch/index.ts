/**
 * Batch sessions: a long run over many nodes, which a worker reports and any number of people follow.
 *
 *   pending ── claim, transition ──► running ── complete, transition ──► completed | partial_failure | failed
 *     │                                 ├── cancel ──► cancelled
 *     └── cancel, or silent ──►         └── silent, or past its deadline ──► failed
 *         cancelled
 *
 * One row of the database decides each run (see migrations/functions/batch.sql): counts are counts of its results, an ending
 * is final, of several workers one is live, and whoever lost the run is told so. A run that ended without completing can be
 * resumed: a new one carries its successes. Time in which nobody served counts as nobody's silence (G6).
 */
export { cancelSession } from "./cancel.ts";
export { claimSession } from "./claim.ts";
export { completeSession } from "./complete.ts";
export { createSession } from "./create.ts";
export { reportProgress } from "./progress.ts";
export { putResult } from "./put-node.ts";
export { readSession } from "./read.ts";
export { resumeSession } from "./resume.ts";
export { moveSession } from "./transition.ts";
