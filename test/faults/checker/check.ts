/**
 * Judges a recorded history: is it explainable by the guarantees, key by key, the waiting room (room.ts), batch sessions
 * (batch.ts) and matches (match.ts)? It knows nothing of how the load came about and nothing of the service's inside, only
 * calls, rows and circumstances.
 *
 * An answer is taken to be true of one moment, which may be any between the sending of its call and the answer. An
 * unknown outcome (503, no answer, a cut connection) may have happened or not. So a violation is told only where no
 * choice of moments explains the answers; what this proves is that there is none, not that nothing else went wrong.
 *
 * When may a call of unknown outcome take effect? G4 wants that a start answered with 503 is not carried out later. What
 * had already reached a database that froze cannot be called back, and a statement that waits for a lock waits two
 * seconds for each; so a start must have begun within LATE_MS of the answer to one of its attempts, or of the end of an
 * outage that began before that. Anything later is a violation.
 *
 * An outage is a time in which the one who broke something knows that nobody was served. It expires nobody (G6): who was
 * live when it began has a full timeout from its end. Where the database was killed, the last second of heartbeats
 * before does not count (G7); nothing else is forgiven.
 */
import { checkAnswers } from "./answers.ts";
import { checkBatch } from "./batch.ts";
import { checkChain } from "./chain.ts";
import { checkEndings } from "./endings.ts";
import { checkExpiry } from "./expiry.ts";
import type { History, Violation } from "./history.ts";
import { checkLeases } from "./leases.ts";
import { checkMatches } from "./match.ts";
import { checkMoments } from "./moments.ts";
import { checkProof } from "./proof.ts";
import { checkRoom } from "./room.ts";
import { checkRows } from "./rows.ts";
import { checkStarts } from "./starts.ts";
import { type KeyStory, tellStories } from "./story.ts";
import { checkStreams } from "./streams.ts";
import { checkSuccession } from "./succession.ts";

export type Rule = (story: KeyStory, history: History) => Violation[];

const RULES: Rule[] = [
  ...[checkAnswers, checkSuccession, checkStarts, checkChain, checkEndings],
  ...[checkExpiry, checkMoments, checkStreams, checkRows, checkProof, checkLeases],
];

export function checkHistory(history: History): Violation[] {
  const ofKeys = tellStories(history).flatMap((story) => RULES.flatMap((rule) => rule(story, history)));
  return [...ofKeys, ...checkRoom(history), ...checkBatch(history), ...checkMatches(history)];
}
