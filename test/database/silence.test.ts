/**
 * The rule of silence that every kind of session shares, with timeouts from a minute to a day: against the plainest
 * program that keeps G6, over random histories of gaps; and the edges, by hand.
 */
import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import { useDatabase } from "../support/database.ts";

const db = useDatabase();

/** In seconds before now: a gap from … to …. */
type Gap = readonly [began: number, ended: number];

/** The service ticks, except during these gaps, oldest first. */
async function setGaps(gaps: readonly Gap[], options: { lastTick?: number } = {}): Promise<void> {
  const ago = (seconds: number) => `at - make_interval(secs => ${seconds})`;
  const added = gaps.map(
    ([began, ended]) => `
      UPDATE service_state SET gaps = add_gap(gaps, tstzrange(${ago(began)}, ${ago(ended)})),
                               gap_began = ${ago(began)}, gap_ended = ${ago(ended)}
      FROM (SELECT last_tick AS at FROM service_state) moment;`,
  );
  await db.sql.unsafe(`
    UPDATE service_state SET last_tick = clock_timestamp(), gaps = '{}', gap_began = NULL, gap_ended = NULL;
    ${added.join("")}
    UPDATE service_state SET last_tick = last_tick - make_interval(secs => ${options.lastTick ?? 0});`);
}

/** Whether a session last heard of that many seconds ago is live, by the cutoff and by the deadline. */
async function areLive(heard: readonly number[], timeout: number, lastTick = 0): Promise<Array<[boolean, boolean]>> {
  const rows = await db.sql`
    SELECT heard.at > silence_cutoff(moment.at, moment.timeout) AS by_cutoff,
           silence_deadline(heard.at, moment.timeout) > moment.at AS by_deadline
    FROM (SELECT last_tick + make_interval(secs => ${lastTick}) AS at, make_interval(secs => ${timeout}) AS timeout
          FROM service_state) moment,
         json_array_elements_text(${JSON.stringify(heard)}::text::json) WITH ORDINALITY AS ago (seconds, nth),
         LATERAL (SELECT moment.at - make_interval(secs => ago.seconds::float8) AS at) heard
    ORDER BY ago.nth`;
  return rows.map((row) => [row.by_cutoff, row.by_deadline]);
}

/** From G6 as it is written, with its one bound: a timeout after the last gap that began while it was live. */
function isLive(heard: number, timeout: number, gaps: readonly Gap[]): boolean {
  let deadline = heard - timeout; // seconds before now, so it counts down
  let served = heard;
  for (const [began, ended] of gaps) {
    if (ended >= heard) continue;
    if (began > deadline) deadline = ended - timeout;
    served -= Math.min(began, heard) - ended;
  }
  return deadline < 0 && served < 3 * timeout;
}

afterEach(() =>
  db.sql`
  UPDATE service_state SET last_tick = NULL, gaps = '{}', gap_began = NULL, gap_ended = NULL`.then(() => {}),
);

describe("the rule of silence", () => {
  it("is G6 with its bound, over any history of gaps and for every timeout", { timeout: 120_000 }, async () => {
    const stretch = (max: number) => fc.integer({ min: 1, max });
    const history = fc.record({
      timeout: fc.constantFrom(60, 1800, 86_400),
      // In tenths of a timeout, the newest first: how long it served after the gap, and how long the gap was.
      stretches: fc.array(fc.tuple(stretch(25), stretch(40)), { minLength: 1, maxLength: 12 }),
    });
    await fc.assert(
      fc.asyncProperty(history, async ({ timeout, stretches }) => {
        const gaps: Gap[] = [];
        let ago = 0;
        for (const [served, away] of stretches) {
          const ended = ago + (served * timeout) / 10;
          ago = ended + (away * timeout) / 10;
          gaps.unshift([ago, ended]);
        }
        await setGaps(gaps);
        const heard = Array.from({ length: 40 }, (_, n) => (ago + 2 * timeout) * ((n + 0.37) / 40));
        const live = await areLive(heard, timeout);
        const right = heard.map((seconds) => isLive(seconds, timeout, gaps));
        expect(live).toEqual(right.map((yes) => [yes, yes]));
      }),
      { numRuns: 60 },
    );
  });

  it.each([60, 1800])("knows 59, 60 and 61 seconds, with gaps and without (timeout %i)", async (timeout) => {
    const edges = [timeout - 1, timeout, timeout + 1];
    await setGaps([]);
    expect(await areLive(edges, timeout)).toEqual([
      [true, true],
      [false, false],
      [false, false],
    ]);
    // Silent for so long before a gap of 1,000 s that ended 10 s ago.
    await setGaps([[1010, 10]]);
    expect(
      await areLive(
        edges.map((edge) => 1010 + edge),
        timeout,
      ),
    ).toEqual([
      [true, true],
      [false, false],
      [false, false],
    ]);
    // The gap ended so long ago: its credit is over, a heartbeat since then counts from itself.
    for (const [at, edge] of edges.entries()) {
      await setGaps([[edge + 1000, edge]]);
      expect(await areLive([edge + 1010, timeout - 2], timeout)).toEqual([
        [at === 0, at === 0],
        [true, true],
      ]);
    }
    // A gap in progress.
    await setGaps([], { lastTick: 1000 });
    expect(
      await areLive(
        edges.map((edge) => 1000 + edge),
        timeout,
        1000,
      ),
    ).toEqual([
      [true, true],
      [false, false],
      [false, false],
    ]);
  });

  it("forgives two gaps in a row in full, and keeps nobody through a crash loop for longer than three timeouts of service", async () => {
    await setGaps([
      [209, 179],
      [120, 59],
    ]);
    expect(await areLive([209 + 59, 209 + 61], 60)).toEqual([
      [true, true],
      [false, false],
    ]);
    // Up 3 s, away 4 s, for ten minutes: 180 s of service are 60 rounds, 420 s.
    const loop = Array.from({ length: 85 }, (_, n): Gap => [7 * (85 - n), 7 * (85 - n) - 4]);
    await setGaps(loop);
    expect(await areLive([410, 430], 60)).toEqual([
      [true, true],
      [false, false],
    ]);
    // A restart each twenty minutes: a run with a timeout of half an hour is not kept by them.
    await setGaps(Array.from({ length: 20 }, (_, n): Gap => [1200 * (20 - n), 1200 * (20 - n) - 5]));
    expect(await areLive([1700, 5400 - 60, 5400 + 60], 1800)).toEqual([
      [true, true],
      [true, true],
      [false, false],
    ]);
    // Nor is anybody kept by more gaps than are remembered one by one; within a tenth.
    await setGaps(Array.from({ length: 300 }, (_, n): Gap => [7 * (300 - n), 7 * (300 - n) - 4]));
    const [row] = await db.sql`
      SELECT (SELECT count(*)::int FROM unnest(gaps)) AS kept,
             (SELECT round(extract(epoch FROM sum(upper(g) - lower(g))))::int FROM unnest(gaps) g) AS seconds
      FROM service_state`;
    expect(row).toEqual({ kept: 64, seconds: 1200 });
    expect(await areLive([385, 455], 60)).toEqual([
      [true, true],
      [false, false],
    ]);
  });

  it("takes no notice of what is still to come, and never puts a deadline further off than a timeout", async () => {
    for (const gap of [
      [-540, -600],
      [30, -600],
    ] as const) {
      await setGaps([gap]);
      const [row] = await db.sql`
        SELECT silence_cutoff(clock_timestamp(), '60 s') <= clock_timestamp() - interval '60 s' AS sane,
               silence_deadline(clock_timestamp() + interval '1 hour', '60 s') <= clock_timestamp() + interval '60 s' AS near,
               silence_deadline(clock_timestamp(), '60 s') > clock_timestamp() + interval '59 s' AS far
        FROM service_state`;
      expect(row).toEqual({ sane: true, near: true, far: true });
    }
  });
});
