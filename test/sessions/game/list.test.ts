/** GET /sessions: whose they are, which, how many, and none alive whose time is over. */
import { beforeEach, describe, expect, it } from "vitest";
import { useApp } from "../../support/app.ts";
import { useDatabase } from "../../support/database.ts";
import { age, gameApi, makeMatch, newPlayer, outcome } from "./support/game.ts";

const db = useDatabase();
const app = useApp(db);
const api = gameApi(app);

beforeEach(async () => {
  await db.sql`DELETE FROM game_sessions`;
});

const TYPES = ["combat", "player", "auth", "custom"] as const;
const STATUSES = ["active", "paused", "completed", "terminated"] as const;

/** One of each type and status, of that player, in the order in which they were made. */
async function makeOfAll(player: string) {
  const made: Array<{ id: string; type: string; status: string }> = [];
  for (const type of TYPES) {
    for (const status of STATUSES) {
      const id = await api.make(player, { type });
      if (status !== "active") await api.update(id, player, { status });
      made.push({ id, type, status });
    }
  }
  return made;
}

interface Item {
  session_id: string;
  status: string;
}
const idsOf = (sessions: Item[]) => sessions.map(({ session_id }) => session_id);

/** All pages, one after the other; `between` runs after each. */
async function readAll(as: string, query: string, between = async () => {}): Promise<string[]> {
  const ids: string[] = [];
  for (let cursor = ""; ; ) {
    const { status, body } = await api.list(as, `${query}${cursor}`);
    expect(status).toBe(200);
    expect(body.has_more).toBe(body.next_cursor !== undefined);
    ids.push(...idsOf(body.sessions));
    if (!body.has_more) return ids;
    cursor = `&cursor=${body.next_cursor}`;
    await between();
  }
}

/** So many of that player, as they are stored. */
const seed = (player: string, count: number) => db.sql`
  INSERT INTO game_sessions (session_id, type, player_id, created_at, updated_at, last_call, clock_steps, not_over_before)
  SELECT gen_random_uuid(), 'player', ${player}, at, at, at, p.clock_steps, at + interval '1 day'
  FROM generate_series(1, ${count}), present_state() p, (SELECT clock_timestamp() AS at) now`;

describe("a list of sessions", () => {
  it("has for a player what it made and plays in, for a service all, newest first, as each is read", async () => {
    const [player, other] = [newPlayer(), newPlayer()];
    const mine = await api.make(player, { metadata: { a: 1 } });
    await api.make(other);
    const guest = await makeMatch(api, other, [player]);
    const host = await makeMatch(api, player, [other]);
    await makeMatch(api, other, [], true); // open, and it takes no part in it
    const { body, headers } = await api.list(player);
    expect(headers.get("cache-control")).toBe("no-store");
    expect(idsOf(body.sessions)).toEqual([host, guest, mine]);
    expect(body).toMatchObject({ total_count: 3, total_count_is_exact: true, has_more: false });
    expect(body.sessions[2]).toEqual((await api.read(mine, player)).body);
    expect((await api.list("service")).body).toMatchObject({ total_count: 5 });
    expect((await api.list(newPlayer())).body).toEqual({
      sessions: [],
      total_count: 0,
      total_count_is_exact: true,
      has_more: false,
    });
  });

  it.each(["a player", "a service"])("fits every filter and pair of filters, for %s", async (who) => {
    const [player, other] = [newPlayer(), newPlayer()];
    const as = who === "a player" ? player : "service";
    const made = await makeOfAll(player);
    if (as === "service") await makeOfAll(other);
    const filters = [undefined, ...TYPES].flatMap((type) =>
      [undefined, ...STATUSES].map((status) => ({ type, status })),
    );
    for (const { type, status } of filters) {
      const expected = made.filter((one) => one.type === (type ?? one.type) && one.status === (status ?? one.status));
      const query = new URLSearchParams({
        player_id: player,
        limit: "3",
        ...(type && { type }),
        ...(status && { status }),
      });
      expect([type, status, await readAll(as, `${query}`)]).toEqual([
        type,
        status,
        expected.map(({ id }) => id).reverse(),
      ]);
      const { body } = await api.list(as, `${query}`);
      expect([type, status, body.total_count]).toEqual([type, status, expected.length]);
      if (as === "player") continue;
      query.delete("player_id");
      expect((await api.list(as, `${query}`)).body.total_count).toBe(expected.length * (as === "service" ? 2 : 1));
    }
  });

  it("of another player has what the caller plays in, and a service finds all of it", async () => {
    const [player, other] = [newPlayer(), newPlayer()];
    await api.make(other);
    const shared = await makeMatch(api, other, [player]);
    await api.make(player);
    const { body } = await api.list(player, `player_id=${other.toUpperCase()}`);
    expect([idsOf(body.sessions), body.total_count]).toEqual([[shared], 1]);
    expect((await api.list("service", `player_id=${other}`)).body.total_count).toBe(2);
  });

  it("is the same page by page whatever comes meanwhile, and 20 by default", async () => {
    const player = newPlayer();
    const ids: string[] = [];
    for (let n = 0; n < 23; n++) ids.unshift(await api.make(player));
    expect((await api.list(player)).body).toMatchObject({ total_count: 23, has_more: true });
    expect(idsOf((await api.list(player)).body.sessions)).toEqual(ids.slice(0, 20));
    expect(
      await readAll(player, "limit=4", async () => {
        await api.make(player);
      }),
    ).toEqual(ids);
    for (const wrong of ["limit=0", "limit=101", "status=over", "type=pvp", "player_id=1", "cursor=x"]) {
      expect([wrong, outcome(await api.list(player, wrong))]).toEqual([wrong, "400 invalid_request"]);
    }
  });

  it("counts exactly to 10,000, and then says that there are more", async () => {
    const player = newPlayer();
    await seed(player, 10_000);
    for (const [as, query] of [
      [player, ""],
      [player, "status=active"],
      ["service", ""],
      ["service", "type=player"],
    ] as const) {
      expect((await api.list(as, query)).body).toMatchObject({ total_count: 10_000, total_count_is_exact: true });
    }
    await seed(player, 1);
    for (const as of [player, "service"]) {
      const { body } = await api.list(as, "limit=1");
      expect(body).toMatchObject({ total_count: 10_000, total_count_is_exact: false, has_more: true });
    }
  });
});

describe("a session whose time is over, with the cleanup off", () => {
  /** Two of three are over, and nobody has looked at them. */
  async function makeOverdue(player: string) {
    const [live, silent, late] = [await api.make(player), await api.make(player), await makeMatch(api, player)];
    await age(db, silent, 86_401);
    await age(db, late, 61);
    return { live, silent, late };
  }

  it.each(["a player", "a service"])("is over in every list, for %s", async (who) => {
    const player = newPlayer();
    const as = who === "a player" ? player : "service";
    const { live, silent, late } = await makeOverdue(player);
    const idsOfList = async (query: string) => {
      const { body } = await api.list(as, query);
      expect(body.total_count).toBe(body.sessions.length);
      return idsOf(body.sessions);
    };
    expect(await idsOfList("status=active")).toEqual([live]);
    expect(await idsOfList("status=terminated")).toEqual([silent]);
    expect(await idsOfList("status=completed")).toEqual([late]);
    const { body } = await api.list(as);
    expect(body.sessions.map(({ status }: Item) => status)).toEqual(["completed", "terminated", "active"]);
  });

  it("is over in a list also while somebody else holds it", async () => {
    const player = newPlayer();
    const { live, silent, late } = await makeOverdue(player);
    const release = await db.hold("SELECT FROM game_sessions FOR UPDATE");
    try {
      for (const as of [player, "service"]) {
        expect(idsOf((await api.list(as, "status=active")).body.sessions)).toEqual([live]);
        const { body } = await api.list(as);
        expect(body.sessions.map(({ session_id, status }: Item) => [session_id, status])).toEqual([
          [late, "completed"],
          [silent, "terminated"],
          [live, "active"],
        ]);
      }
    } finally {
      await release();
    }
    // What was shown is what it comes to be.
    const shown = (await api.list(player)).body.sessions;
    for (const one of shown) expect((await api.read(one.session_id, player)).body).toEqual(one);
  });
});
