/**
 * Violations to plant into a correct history, each as a broken service would have answered or stored. The checker must
 * find each and call it by its rule; other rules may speak up too.
 */
import type { Plant } from "./plant.ts";
import { plantsInAnswers } from "./plants-in-answers.ts";
import { plantsInBatch } from "./plants-in-batch.ts";
import { plantsInMatchAnswers } from "./plants-in-match-answers.ts";
import { plantsInMatches } from "./plants-in-matches.ts";
import { plantsInRoom } from "./plants-in-room.ts";
import { plantsInRows } from "./plants-in-rows.ts";
import { plantsOfLiveness } from "./plants-of-liveness.ts";
import { plantsOfTrust } from "./plants-of-trust.ts";

export const PLANTS: Plant[] = [
  ...plantsOfLiveness,
  ...plantsInAnswers,
  ...plantsInRows,
  ...plantsInRoom,
  ...plantsInBatch,
  ...plantsInMatches,
  ...plantsInMatchAnswers,
  ...plantsOfTrust,
];
