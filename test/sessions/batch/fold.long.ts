/** For random runs: their events from the first on say what GET says. */
import fc from "fast-check";
import { expect, inject, it } from "vitest";
import { useApp } from "../../support/app.ts";
import { useDatabase } from "../../support/database.ts";
import { batchApi } from "./support/batch.ts";
import { type Folded, fold } from "./support/fold.ts";
import { follow, type Told } from "./support/follow.ts";
import { story } from "./support/model-commands.ts";
import { tell } from "./support/model-story.ts";

const db = useDatabase();
const app = useApp(db);
const api = batchApi(app);

const RUNS = 1000 * inject("share");
const SEED = Number(process.env.MODEL_SEED ?? Math.floor(Math.random() * 2 ** 31));

it(`the events of ${RUNS} random runs fold to what GET says`, { timeout: 900_000 }, async () => {
  let runs = 0;
  let events = 0;
  for (let stories = 0; runs < RUNS; stories++) {
    expect(stories).toBeLessThan(RUNS * 3);
    const [one] = fc.sample(story, { numRuns: 1, seed: SEED + stories }) as [Parameters<typeof tell>[1]];
    await tell(db, { ...one, tidied: false }, new Map()).catch((error) => {
      // Too slow a machine; the model's own test judges the story.
      if (!fc.PreconditionFailure.isFailure(error)) throw error;
    });
    for (const { session_id: id } of await db.sql`SELECT session_id FROM batch_sessions ORDER BY run`) {
      const due = await readWhole(id);
      const [row] = await db.sql`SELECT last_event AS last FROM batch_sessions WHERE session_id = ${id}`;
      const told = await readEvents(id, row?.last);
      expect(told.map((event) => event.id)).toEqual(Array.from({ length: row?.last }, (_, at) => at + 1));
      expect({ story: SEED + stories, ...withGroups(fold(told), due) }).toEqual({ story: SEED + stories, ...due });
      runs++;
      events += told.length;
    }
  }
  console.log(`folded: ${runs} runs, ${events} events, MODEL_SEED=${SEED}`);
});

async function readWhole(id: string): Promise<Folded> {
  const session = await api.read(id);
  const { groups } = (await api.status(id)).body;
  const nodes = Object.values(session.node_results) as Array<Record<string, never>>;
  return {
    status: session.status,
    ended_reason: session.ended_reason,
    error_message: session.ended_reason && session.error_message, // before the end it is no event's
    attempt: session.attempt,
    worker: session.worker,
    counts: [session.completed_nodes, session.failed_nodes, session.skipped_nodes],
    nodes: Object.fromEntries(nodes.map((node) => [node.node_id, [node.status, node.error, node.carried]])),
    groups: Object.fromEntries(
      groups.map((group: Record<string, string | number | unknown[]>) => [
        group.group_id,
        { status: group.status, completed: group.completed_nodes, failed: (group.errors as unknown[]).length },
      ]),
    ),
  };
}

/** A page knows the groups from its own request. */
function withGroups(folded: Folded, due: Folded): Folded {
  const named = Object.keys(due.groups).map((id) => [id, { status: "pending", completed: 0, failed: 0 }]);
  return { ...folded, groups: { ...Object.fromEntries(named), ...folded.groups } };
}

async function readEvents(id: string, last: number): Promise<Told[]> {
  if (last === 0) return [];
  const following = await follow(app, id, 0);
  const kept = () => following.told.filter((event) => event.id !== undefined);
  await expect.poll(() => kept().length, { interval: 5 }).toBeGreaterThanOrEqual(last);
  following.stop();
  await following.ended;
  return kept();
}
