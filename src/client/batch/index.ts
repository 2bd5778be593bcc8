/**
 * The worker's side of batch sessions, and the watcher's. No dependencies; runs in browsers, Node 18 and later, Electron,
 * Deno and Bun.
 *
 *   runBatch     create | resume ──► claim ──► nodes, so many at once ──► results acknowledged ──► complete
 *                                                │ cancelled, taken over, past a limit, Ctrl-C
 *                                                └──► every node's signal fires, and nothing more starts
 *   followBatch  reset ──► events, folded ──► complete
 *
 * What it promises:
 * - A failed request is no lost result: each is sent, always the same, until the service has acknowledged it, through
 *   restarts and outages of the service; so a node has exactly one result, and a node that was acknowledged runs no more.
 * - A worker that has lost its run stops: the event stream tells it at once, and any call of its own at the latest.
 * - A follower misses nothing: it begins with the whole session, and a cut stream goes on where it was.
 */
export type { BatchStatus } from "../../sessions/batch/contract.ts";
export { type BatchErrorCode, KeybeatError } from "../error.ts";
export type { BatchState, GroupState, NodeState } from "./fold.ts";
export { type FollowOptions, followBatch } from "./follow.ts";
export type { BatchNode, BatchProgress, NodeContext, RunOptions } from "./options.ts";
export { type BatchOutcome, runBatch } from "./run.ts";
