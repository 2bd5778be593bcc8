/** Game sessions in GET /metrics: what they are now, and why they ended, whether or not somebody has tidied. */
import { beforeEach, describe, expect, it } from "vitest";
import { createLog } from "../../../src/log.ts";
import { createCounts } from "../../../src/metrics/counts.ts";
import { writeText } from "../../../src/metrics/metrics.ts";
import { game } from "../../../src/sessions/game/kind.ts";
import { selectGameNumbers } from "../../../src/sessions/game/upkeep-sql.ts";
import { useApp } from "../../support/app.ts";
import { useDatabase } from "../../support/database.ts";
import { parseSamples } from "../../support/metrics.ts";
import { age as ageOf, gameApi, makeMatch, newPlayer } from "./support/game.ts";

const db = useDatabase();
const api = gameApi(useApp(db));
const age = (id: string, seconds: number) => ageOf(db, id, seconds);
const player = newPlayer();

const DAY = 86_400;

beforeEach(async () => {
  await db.sql`DELETE FROM game_sessions`;
});

/** `combat active` and so on, those that are none left out; and why others ended. */
async function read() {
  const { live, ended } = await selectGameNumbers(db.database);
  const counted = live.filter(({ count }) => count > 0).map(({ type, status, count }) => [`${type} ${status}`, count]);
  return { live: Object.fromEntries(counted), ended };
}

describe("the numbers of game sessions", () => {
  it("are those that are not over, by type and status", async () => {
    expect(await read()).toEqual({ live: {}, ended: {} });
    for (const type of ["combat", "player", "player", "custom"]) await api.make(player, { type });
    const paused = await api.make(player, { type: "auth" });
    await api.update(paused, player, { status: "paused" });
    await makeMatch(api, player);
    expect(await read()).toEqual({
      live: { "combat active": 2, "player active": 2, "custom active": 1, "auth paused": 1 },
      ended: {},
    });
  });

  it("count a session whose time is over as ended, before and after somebody has ended it", async () => {
    const [silent, late, standing] = [await api.make(player), await makeMatch(api, player), await api.make(player)];
    await api.update(standing, player, { status: "paused" });
    for (const id of [silent, standing]) await age(id, DAY + 10);
    await age(late, 70);
    await api.make(player);
    const expected = { live: { "player active": 1 }, ended: { silence: 2, max_duration: 1 } };
    expect(await read()).toEqual(expected);
    for (const id of [silent, late, standing]) await api.read(id, player);
    expect(await read()).toEqual(expected);
  });

  it("have each ending of the last hour by why, and none that is older", async () => {
    const [requested, operator, old] = [await api.make(player), await api.make(player), await api.make(player)];
    await api.update(requested, player, { status: "completed" });
    await db.sql`SELECT force_game_end(${operator}, NULL)`;
    await api.terminate(old, player);
    await age(old, 3610);
    await age(requested, 3500);
    // Silent for so long that it was over more than an hour ago.
    await age(await api.make(player), 3610 + DAY);
    expect(await read()).toEqual({ live: {}, ended: { requested: 1, operator: 1 } });
  });

  it("ask the rules only of what may be over, dated before a jump of the clock or due", async () => {
    await api.make(player);
    const due = await api.make(player);
    await db.sql`UPDATE game_sessions SET not_over_before = clock_timestamp() - interval '1 second' WHERE session_id = ${due}`;
    await db.sql`UPDATE service_state SET clock_steps = clock_steps + 1, clock_stepped_at = clock_timestamp()`;
    expect(await read()).toEqual({ live: { "player active": 2 }, ended: {} });
  });

  it("are exposed with every type, status and reason, at zero too", async () => {
    await api.make(player, { type: "auth" });
    const opened = game.open({
      settings: { silenceSeconds: DAY, retentionDays: 30 },
      database: db.database,
      counts: createCounts(),
      log: createLog("silent"),
    });
    const text = await writeText([(await opened.readSamples?.()) ?? []]);
    const values = parseSamples(text).map(({ name, labels, value }) => `${name} ${Object.values(labels)} ${value}`);
    expect(values).toEqual([
      ...["combat", "player", "auth", "custom"].flatMap((type) =>
        ["active", "paused"].map(
          (status) => `keybeat_game_sessions ${type},${status} ${type === "auth" && status === "active" ? 1 : 0}`,
        ),
      ),
      ...["requested", "silence", "max_duration", "decided", "operator"].map(
        (reason) => `keybeat_game_sessions_ended_last_hour ${reason} 0`,
      ),
    ]);
  });
});
