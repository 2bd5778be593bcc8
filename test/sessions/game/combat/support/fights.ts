/** Long random fights: what players, services and time do to one match, as data; and how one is played. */
import fc from "fast-check";
import { forceEnd } from "../../../../../src/sessions/game/force-end.ts";
import { ACTION_TYPES, COMBAT_MODES } from "../../../../../src/sessions/game/states.ts";
import type { TestDatabase } from "../../../../support/database.ts";
import { type Command, type PlayerName, weighted } from "../../support/model-commands.ts";
import { ask, IDS } from "../../support/model-program.ts";
import { age, type CombatApi } from "./combat.ts";

type Step = Extract<Command, { do: "act" | "join" | "leave" | "update" | "terminate" | "pass" }>;

export interface Fight {
  mode: (typeof COMBAT_MODES)[number];
  players: PlayerName[];
  rules: object;
  steps: Step[];
  ending: (typeof ENDINGS)[number];
}

/** How it ends if nothing in it has ended it. Time and silence come by themselves. */
const ENDINGS = ["not", "completed", "terminated", "deleted", "operator", "time", "silence", "empty"] as const;
const EVERYBODY: PlayerName[] = ["ann", "bob", "cyd", "dan"];

/** Of some length: a few blows take nobody out. */
const rules = fc.record(
  {
    health: fc.integer({ min: 60, max: 400 }),
    damage: fc.record({ attack: fc.constantFrom(0, 3, 7.5), move: fc.constantFrom(0, 1) }, { requiredKeys: [] }),
    defend_factor: fc.constantFrom(0, 0.3, 1),
    score: fc.record({ attack: fc.nat(3), defend: fc.nat(3) }, { requiredKeys: [] }),
    cooldown_ms: fc.record({ ability: fc.constant(20_000) }, { requiredKeys: [] }),
    preparation_seconds: fc.constantFrom(0, 20),
  },
  { requiredKeys: ["health"] },
);

const player = fc.constantFrom(...EVERYBODY);
const some = fc.subarray(EVERYBODY, { minLength: 1, maxLength: 3 });
const maybe = <T>(value: fc.Arbitrary<T>) => fc.option(value, { freq: 3 });
const status = (word: "active" | "paused" | "completed" | "terminated"): Step => ({
  do: "update",
  session: 0,
  as: "service",
  status: word,
  metadata: null,
  settings: null,
  demands: null,
});
const pass = (seconds: number): Step => ({ do: "pass", seconds });

const act: fc.Arbitrary<Step> = fc.record({
  do: fc.constant("act"),
  session: fc.constant(0),
  as: weighted<"self" | "service">([4, "self"], [1, "service"]),
  player,
  type: fc.constantFrom(...ACTION_TYPES),
  target: fc.option(player, { freq: 6, nil: null }),
  id: fc.constant("new"),
  given: fc.record({
    damage: maybe(fc.integer({ min: 0, max: 30 })),
    eliminated: weighted<boolean | null>([40, null], [1, true], [4, false]),
    score: maybe(fc.nat(9)),
  }),
});
const passage = (verb: "join" | "leave", players: PlayerName[]): Step => ({
  do: verb,
  session: 0,
  as: "service",
  players,
});
const scenes = fc.oneof(
  { weight: 40, arbitrary: act.map((one) => [one]) },
  { weight: 2, arbitrary: player.map((one) => [passage("leave", [one]), passage("join", [one])]) },
  { weight: 1, arbitrary: some.map((all) => [passage("join", all)]) },
  { weight: 1, arbitrary: player.map((one) => [passage("leave", [one])]) },
  { weight: 2, arbitrary: act.map((one) => [status("paused"), one, pass(5), status("active")]) },
  { weight: 3, arbitrary: fc.integer({ min: 1, max: 30 }).map((seconds) => [pass(seconds)]) },
);

export const fight: fc.Arbitrary<Fight> = fc.record({
  mode: fc.constantFrom(...COMBAT_MODES),
  players: weighted([1, 1], [1, 2], [4, 3], [4, 4]).map((count) => EVERYBODY.slice(0, count)),
  rules,
  steps: fc
    .tuple(fc.array(passageBefore(), { maxLength: 3 }), fc.array(scenes, { minLength: 40, maxLength: 60, size: "max" }))
    .map(([before, rest]) => [...before, pass(20), ...rest.flat()]),
  ending: fc.constantFrom(...ENDINGS),
});

/** Who comes and goes while it may still be prepared. */
function passageBefore(): fc.Arbitrary<Step> {
  return fc
    .tuple(weighted<"join" | "leave">([3, "join"], [1, "leave"]), player)
    .map(([verb, one]) => passage(verb, [one]));
}

const STEPS: Record<Fight["ending"], Step[]> = {
  not: [],
  completed: [status("completed")],
  terminated: [status("terminated")],
  deleted: [{ do: "terminate", session: 0, as: "service", reason: null, demands: null }],
  operator: [],
  time: [pass(3_600)],
  silence: [status("paused"), pass(86_400)],
  empty: EVERYBODY.map((one) => passage("leave", [one])),
};

/** Plays it, and calls `half` in the midst. Returns the match's id. */
export async function play(
  db: TestDatabase,
  api: CombatApi,
  { mode, players, rules, steps, ending }: Fight,
  half: (id: string) => Promise<void>,
): Promise<string> {
  const ids = players.map((name) => IDS[name]);
  const id = await api.make(ids, { mode, settings: { rules: { open: true, ...rules } } });
  for (const [at, step] of [...steps, ...STEPS[ending]].entries()) {
    if (step.do === "pass") await age(db, id, step.seconds);
    else if ((await ask(db, { ...step, session: id })).is === "session_over") break;
    if (at === Math.floor(steps.length / 2)) await half(id);
  }
  if (ending === "operator") await forceEnd(db.database, id, undefined, { who: "a test", from: null });
  return id;
}
