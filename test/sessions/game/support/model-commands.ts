/** Random stories: what players, services and time may do to a few sessions, as data that shrinks and reads well. */
import fc from "fast-check";
import type { GameStatus } from "../../../../src/sessions/game/contract.ts";
import type { ACTION_TYPES, COMBAT_STATUSES } from "../../../../src/sessions/game/states.ts";

/** Which session: the latest one (0), the one before (1) …; modulo how many there are. */
type SessionNumber = number | "unknown";
/** The first three may be named when a match is made. */
export type PlayerName = "ann" | "bob" | "cyd" | "dan";
export type CallerName = PlayerName | "service";
export type RequestKey = "k1" | "k2" | null;
/** Which version a change is of: the present one in its body or as If-Match, or another one. */
export type Demand = "version" | "another version" | "match" | "another match" | null;

export type Command =
  | {
      do: "create";
      key: RequestKey;
      as: CallerName;
      mode: "pvp" | "pve";
      players: number;
      rules: number;
      minutes: 1 | 10;
    }
  | { do: "create plain"; key: RequestKey; as: PlayerName; type: "player" | "combat" }
  | { do: "read plain"; session: SessionNumber; as: CallerName }
  | { do: "read"; session: SessionNumber; as: CallerName }
  | { do: "state"; session: SessionNumber; as: CallerName }
  | {
      do: "act";
      session: SessionNumber;
      as: "self" | CallerName;
      player: PlayerName;
      type: (typeof ACTION_TYPES)[number];
      target: PlayerName | null;
      /** A new one; or the latest of the session, or its first, again; or the latest one's, with another body. */
      id: "new" | "again" | "first again" | "conflict";
      given: { damage: number | null; eliminated: boolean | null; score: number | null };
    }
  | { do: "join"; session: SessionNumber; as: CallerName; players: PlayerName[] }
  | { do: "leave"; session: SessionNumber; as: CallerName; players: PlayerName[] }
  | {
      do: "update";
      session: SessionNumber;
      as: CallerName;
      status: GameStatus | null;
      /** What they are replaced by, if they are. */
      metadata: number | null;
      settings: number | null;
      demands: Demand;
    }
  | { do: "terminate"; session: SessionNumber; as: CallerName; reason: string | null; demands: Demand }
  | { do: "list"; as: CallerName; status: (typeof COMBAT_STATUSES)[number]; mode: "pvp" | "pve" | null }
  | { do: "cleanup" }
  | { do: "pass"; seconds: number };

/** The same with the session's id filled in. */
export type Call = Filled<Exclude<Command, { do: "pass" }>>;
type Filled<C> = C extends { session: SessionNumber } ? Omit<C, "session"> & { session: string } : C;

export interface Story {
  /** Whether somebody tidies after every step; else only when the story says so. */
  tidied: boolean;
  commands: Command[];
}

export const COMMANDS_MAX = 24;

export const ROSTERS: ReadonlyArray<readonly PlayerName[]> = [
  ["ann"],
  ["ann", "bob"],
  ["cyd", "ann", "bob"],
  ["bob", "cyd"],
];

/** What is not said is the default. */
export const RULES = [
  { health: 30 },
  { health: 20, open: true, max_participants: 3, cooldown_ms: { attack: 10_000 } },
  {
    health: 25,
    open: true,
    preparation_seconds: 30,
    damage: { attack: 7.5, move: 1 },
    defend_factor: 0.3,
    score: { attack: 1, defend: 2 },
  },
  { health: 10, open: true, preparation_seconds: 10, cooldown_ms: { attack: 1_000, ability: 60_000 } },
  { health: 40, damage: { attack: 40 }, defend_factor: 0 },
] as const;

export const weighted = <T>(...choices: Array<[weight: number, value: T]>): fc.Arbitrary<T> =>
  fc.oneof({ withCrossShrink: true }, ...choices.map(([weight, value]) => ({ weight, arbitrary: fc.constant(value) })));
const is = <T extends string>(verb: T) => fc.constant(verb);

const session = weighted<SessionNumber>([30, 0], [8, 1], [3, 2], [1, "unknown"]);
const key = weighted<RequestKey>([4, null], [2, "k1"], [1, "k2"]);
const player = weighted<PlayerName>([6, "ann"], [6, "bob"], [4, "cyd"], [1, "dan"]);
const caller = weighted<CallerName>([5, "ann"], [5, "bob"], [3, "cyd"], [2, "dan"], [3, "service"]);
const party = fc.uniqueArray(fc.constantFrom<PlayerName>("ann", "bob", "cyd", "dan"), { minLength: 1, maxLength: 3 });
/** Most are made by ann. */
const owner = weighted<CallerName>([6, "ann"], [4, "service"], [1, "bob"], [1, "dan"]);
const note = weighted<number | null>([6, null], [1, 1], [1, 2]);
const demand = weighted<Demand>([8, null], [1, "version"], [1, "another version"], [1, "match"], [1, "another match"]);
const maybe = <T>(value: T) => weighted<T | null>([3, null], [1, value]);

const make: fc.Arbitrary<Command> = fc.record({
  do: is("create"),
  key,
  as: weighted<CallerName>([4, "ann"], [1, "dan"], [1, "service"]),
  mode: weighted<"pvp" | "pve">([3, "pvp"], [1, "pve"]),
  players: weighted([2, 0], [4, 1], [4, 2], [2, 3]),
  rules: fc.nat(RULES.length - 1),
  minutes: weighted<1 | 10>([1, 1], [2, 10]),
});
const passage = fc.oneof(
  { weight: 3, arbitrary: player.map((one) => ({ as: one as CallerName, players: [one] })) },
  { weight: 2, arbitrary: party.map((players) => ({ as: "service" as CallerName, players })) },
  { weight: 1, arbitrary: fc.record({ as: caller, players: party }) },
);

const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 5, arbitrary: make },
  {
    weight: 2,
    arbitrary: fc.record({
      do: is("create plain"),
      key,
      as: weighted<PlayerName>([3, "ann"], [1, "dan"]),
      type: weighted<"player" | "combat">([1, "player"], [1, "combat"]),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: is("read plain"), session, as: caller }) },
  { weight: 3, arbitrary: fc.record({ do: is("read"), session, as: caller }) },
  { weight: 3, arbitrary: fc.record({ do: is("state"), session, as: caller }) },
  {
    weight: 26,
    arbitrary: fc.record({
      do: is("act"),
      session,
      as: weighted<"self" | CallerName>([8, "self"], [2, "service"], [1, "ann"], [1, "dan"]),
      player,
      type: weighted<(typeof ACTION_TYPES)[number]>(
        [8, "attack"],
        [4, "ability"],
        [4, "defend"],
        [1, "move"],
        [1, "item_use"],
      ),
      target: weighted<PlayerName | null>([4, "ann"], [6, "bob"], [4, "cyd"], [1, "dan"], [1, null]),
      id: weighted<"new" | "again" | "first again" | "conflict">(
        [9, "new"],
        [1, "again"],
        [2, "first again"],
        [1, "conflict"],
      ),
      given: fc.record({
        damage: maybe(15),
        eliminated: weighted<boolean | null>([6, null], [1, true], [1, false]),
        score: maybe(3),
      }),
    }),
  },
  { weight: 6, arbitrary: passage.map((who) => ({ do: "join" as const, session: 0, ...who })) },
  { weight: 5, arbitrary: passage.map((who) => ({ do: "leave" as const, session: 0, ...who })) },
  { weight: 2, arbitrary: fc.record({ do: is("join"), session, as: caller, players: party }) },
  {
    weight: 9,
    arbitrary: fc.record({
      do: is("update"),
      session,
      as: owner,
      status: weighted<GameStatus | null>([6, "paused"], [9, "active"], [1, "completed"], [1, "terminated"], [3, null]),
      metadata: note,
      settings: note,
      demands: demand,
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: is("terminate"),
      session,
      as: owner,
      reason: weighted<string | null>([1, null], [1, "it rains"]),
      demands: weighted<Demand>([8, null], [1, "match"], [1, "another match"]),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: is("list"),
      as: caller,
      status: weighted<(typeof COMBAT_STATUSES)[number]>(
        [4, "active"],
        [2, "initializing"],
        [1, "paused"],
        [2, "completed"],
        [1, "terminated"],
      ),
      mode: weighted<"pvp" | "pve" | null>([3, null], [1, "pvp"], [1, "pve"]),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: is("cleanup") }) },
  {
    weight: 9,
    arbitrary: fc.record({
      do: is("pass"),
      // Sums of these meet 10 s, half a minute, one, ten and a day exactly, and come within a second of them from below.
      seconds: weighted(
        [6, 1],
        [6, 9],
        [4, 10],
        [4, 29],
        [3, 30],
        [2, 59],
        [2, 60],
        [2, 540],
        [1, 85_800],
        [1, 86_399],
        [1, 86_400],
      ),
    }),
  },
);

const blow = (of: PlayerName, type: "attack" | "ability"): Command => ({
  do: "act",
  session: 0,
  as: "self",
  player: of,
  type,
  target: of === "ann" ? "bob" : "ann",
  id: "new",
  given: { damage: null, eliminated: null, score: null },
});
const setStatus = (status: GameStatus): Command => ({
  do: "update",
  session: 0,
  as: "service",
  status,
  metadata: null,
  settings: null,
  demands: null,
});
const stand = (seconds: number): Command[] => [setStatus("paused"), { do: "pass", seconds }, setStatus("active")];
/** What single steps seldom come to: who has fought goes and comes back; two kinds of blows in turn; two pauses. */
const scene: fc.Arbitrary<Command[]> = fc.oneof(
  player.map((one): Command[] => [
    blow(one, "attack"),
    { do: "leave", session: 0, as: one, players: [one] },
    { do: "join", session: 0, as: one, players: [one] },
  ]),
  player.map((one) => [blow(one, "ability"), blow(one, "attack"), blow(one, "ability")]),
  fc.constant(null).map(() => [...stand(9), ...stand(1)]),
);
const scenes = fc.oneof(
  { withCrossShrink: true },
  { weight: 15, arbitrary: command.map((one) => [one]) },
  { weight: 1, arbitrary: scene },
);

export const story: fc.Arbitrary<Story> = fc.record({
  tidied: weighted([2, false], [1, true]),
  // Before the first match is made there is not much to tell.
  commands: fc
    .tuple(make, fc.array(scenes, { minLength: 1, maxLength: COMMANDS_MAX, size: "max" }))
    .map(([first, rest]) => [first, ...rest.flat()]),
});
