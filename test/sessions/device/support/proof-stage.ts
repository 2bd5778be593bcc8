/**
 * Tells many stories of proofs at once (proof-stories.ts): in each round the next beat of every one of them is judged in one
 * statement, by the function that judges in production.
 */
import type { TestDatabase } from "../../../support/database.ts";
import type { Beat, Story, Telling, Verdict, Wish } from "./proof-stories.ts";

/** Tells these stories. Gives the first that failed, with what was told of it. */
export type Stage = (
  stories: Story[],
  tell: (story: Story) => Telling,
) => Promise<{ story: Story; error: Error } | undefined>;

/** A story under way. */
interface Told {
  at: number;
  story: Story;
  telling: Telling;
  wish: Wish;
}

/** For a database of its own, where silence expires nobody; `most` stories at once. */
export async function openProofStage(db: TestDatabase, most: number): Promise<Stage> {
  await db.sql`UPDATE service_state SET session_timeout_seconds = 864000`;
  await db.sql`
    INSERT INTO keys (key_hash, key_prefix) SELECT sha256(n::text::bytea), 'story' FROM generate_series(1, ${most}::int) n`;
  await db.sql`CREATE TABLE backups AS SELECT * FROM active_sessions`;
  let chunks = 0;

  return async (stories, tell) => {
    const chunk = ++chunks;
    const idOf = (at: number) => `${chunk}-${at}`;
    await setOut(db, idOf, stories);
    let failed: { story: Story; error: Error } | undefined;
    /** Goes on with a story; a finished one is gone. */
    const goOn = (told: Omit<Told, "wish">, verdict?: Verdict): Told[] => {
      try {
        const { done, value } = told.telling.next(verdict);
        return done ? [] : [{ ...told, wish: value }];
      } catch (error) {
        failed ??= { story: told.story, error: error as Error };
        return [];
      }
    };
    let underWay = stories.flatMap((story, at) => goOn({ at, story, telling: tell(story) }));
    while (underWay.length > 0 && !failed) {
      const asking = (what: Wish["do"]) => underWay.filter(({ wish }) => wish.do === what).map(({ at }) => idOf(at));
      await copyRows(db, asking("back up"), { from: "active_sessions", to: "backups" });
      await copyRows(db, asking("restore"), { from: "backups", to: "active_sessions" });
      const verdicts = await judge(
        db,
        new Map(underWay.flatMap(({ at, wish }) => (wish.do === "judge" ? [[idOf(at), wish.beat]] : []))),
      );
      underWay = underWay.flatMap((told) => goOn(told, verdicts.get(idOf(told.at))));
    }
    return failed;
  };
}

/** A live session for each story, with a backup of it. */
async function setOut(db: TestDatabase, idOf: (at: number) => string, stories: Story[]): Promise<void> {
  const ids = stories.map((_, at) => idOf(at)).join(",");
  const proven = stories.map((story) => story.proven).join(",");
  await db.sql`TRUNCATE active_sessions, backups`;
  await db.sql`
    INSERT INTO active_sessions (key_id, access_key, session_id, generation, started_at, last_heartbeat,
                                 proof_instance, proof_number, proof_beat)
    SELECT k.id, 'story…', story.id, story.at, clock_timestamp(), clock_timestamp(),
           CASE WHEN story.proven THEN 'process-0' END, CASE WHEN story.proven THEN 0 END,
           CASE WHEN story.proven THEN 'creation' END
    FROM unnest(string_to_array(${ids}, ','), string_to_array(${proven}, ',')::boolean[])
         WITH ORDINALITY AS story (id, proven, at)
    JOIN (SELECT id, row_number() OVER (ORDER BY id) AS at FROM keys WHERE key_prefix = 'story') k ON k.at = story.at`;
  await db.sql`INSERT INTO backups SELECT * FROM active_sessions`;
}

/** Copies what a session's row says of its last beat from one table to the other. */
async function copyRows(db: TestDatabase, ids: string[], { from, to }: { from: string; to: string }): Promise<void> {
  if (ids.length === 0) return;
  await db.sql`
    UPDATE ${db.sql(to)} t
    SET last_heartbeat = f.last_heartbeat, proof_instance = f.proof_instance, proof_number = f.proof_number,
        proof_beat = f.proof_beat, proof_displaced = f.proof_displaced
    FROM ${db.sql(from)} f WHERE f.session_id = t.session_id AND t.session_id = ANY (string_to_array(${ids.join(",")}, ','))`;
}

async function judge(db: TestDatabase, beats: Map<string, Beat>): Promise<Map<string, Verdict>> {
  const verdicts = new Map<string, Verdict>();
  if (beats.size === 0) return verdicts;
  const joined = (value: (beat: Beat) => string | number) => [...beats.values()].map(value).join(",");
  const [row] = await db.sql`
    SELECT beaten, others FROM beat_with_proof(${[...beats.keys()].join(",")}, ${joined((beat) => beat.instance)},
      ${joined((beat) => beat.number)}, ${joined((beat) => beat.id)}, ${joined((beat) => beat.answer)})`;
  for (const one of row?.beaten?.split(",") ?? []) verdicts.set(one.split(" ")[0], "live");
  for (const other of row?.others ?? []) {
    if (other.verdict === "copy") await endAsCopy(db, other.session_id, beats.get(other.session_id) as Beat);
    else verdicts.set(other.session_id, other.verdict === "again" ? "live" : { challenge: other.challenge });
  }
  // Whose session is over is told so.
  for (const id of beats.keys()) if (!verdicts.has(id)) verdicts.set(id, "cloned");
  return verdicts;
}

async function endAsCopy(db: TestDatabase, id: string, { instance, number, id: beat, answer }: Beat): Promise<void> {
  await db.sql`SELECT end_copy(${id}, ${instance}, ${number}, ${beat}, ${answer})`;
}
