/** Histories of matches that look wrong and are not, as in checker-odd.test.ts. Beside each, the same a step too far. */
import { describe, expect, it } from "vitest";
import type { Circumstances, MatchEvent, MatchRow } from "./checker/history.ts";
import { checkMatches } from "./checker/match.ts";
import { makeHistory } from "./checker-proof/sample.ts";
import type { MatchAction, MatchAnswer, MatchCall } from "./load/match-call.ts";

const [ONE, TWO] = ["player-1", "player-2"];
const HIT: MatchAction = { id: "hit", player: ONE, type: "attack", target: TWO };
const BACK: MatchAction = { id: "back", player: TWO, type: "attack", target: ONE };

const unknown: MatchAnswer = { is: "unknown", why: "cut" };
const paused: MatchAnswer = { is: "refused", code: "paused" };
const shown = (state: "active" | "paused", version: number): MatchAnswer => ({ is: "shown", state, version });
const happened = (sequence: number, standings: string[], last = sequence): MatchAnswer => ({
  is: "happened",
  sequence,
  digest: `as number ${sequence}`,
  standings,
  over: false,
  last,
});

const call = (
  operation: MatchCall["operation"],
  [sentAt, answeredAt]: [number, number],
  answer: MatchAnswer,
  action?: MatchAction,
): MatchCall => ({
  operation,
  match: "match-0",
  sessionId: "session-0",
  by: action?.player ?? ONE,
  server: 0,
  status: 200,
  sentAt,
  answeredAt,
  answer,
  ...(action && { action }),
});

const change = (event: "paused" | "resumed", at: number) => ({ event, at, data: { data: {} } });
const strike = ({ id, player, target }: MatchAction, at: number, health: number) => ({
  event: "action",
  at,
  data: {
    data: {
      player_id: player,
      action_type: "attack",
      target_id: target,
      action_id: id,
      damage_dealt: 10,
      score: 10,
      health,
    },
  },
});

const SAMPLE = makeHistory(0);

/** The rules that are broken; the clocks are one. `standings`: at the end. */
function judge(
  calls: MatchCall[],
  events: Array<Omit<MatchEvent, "id">>,
  standings: string[],
  outages: Circumstances["outages"] = [],
): string[] {
  const changes = events.filter(({ event }) => event !== "action");
  const actions = events.length - changes.length;
  const row: MatchRow = {
    match: "match-0",
    sessionId: "session-0",
    state: changes.at(-1)?.event === "paused" ? "paused" : "active",
    reason: null,
    version: 1 + changes.length,
    standings,
    numbers: [actions, actions * 10, 0],
    winner: null,
    founders: [ONE, TWO],
    isPrepared: false,
    health: 60,
    places: 5,
    events: events.map((event, at) => ({ id: at + 1, ...event })),
  };
  const violations = checkMatches({
    ...SAMPLE,
    matchCalls: calls,
    circumstances: { ...SAMPLE.circumstances, outages, clock: { offsetMs: 0, errorMs: 0 } },
    rows: { ...SAMPLE.rows, matches: [row] },
  });
  return violations.map(({ rule }) => rule);
}

const UNHURT = [`${ONE} active 60 0`, `${TWO} active 60 0`];
const AFTER_HIT = [`${ONE} active 60 10`, `${TWO} active 50 0`];
const AFTER_BOTH = [`${ONE} active 50 10`, `${TWO} active 50 10`];

describe("an action of unknown outcome", () => {
  const lost = call("act", [100, 200], unknown, HIT);

  it("may have happened, or not, and not twice", () => {
    expect(judge([lost], [strike(HIT, 150, 50)], AFTER_HIT)).toEqual([]);
    expect(judge([lost], [], UNHURT)).toEqual([]);
    const twice = [strike(HIT, 150, 50), strike(HIT, 160, 40)];
    expect(judge([lost], twice, [`${ONE} active 60 20`, `${TWO} active 40 0`])).toContain("action-twice");
  });

  it("that happened is found by its retry, which gets its answer, however much has happened since", () => {
    const back = call("act", [300, 400], happened(2, AFTER_BOTH), BACK);
    const events = [strike(HIT, 150, 50), strike(BACK, 350, 50)];
    const retry = (answer: MatchAnswer) => [lost, back, call("act", [500, 600], answer, HIT)];
    expect(judge(retry(happened(1, AFTER_HIT)), events, AFTER_BOTH)).toEqual([]);
    expect(judge(retry(happened(1, AFTER_BOTH)), events, AFTER_BOTH)).toContain("untrue-answer");
  });

  it("may happen after its retry was refused, while it is still under way", () => {
    const calls = (until: number) => [
      call("pause", [10, 50], shown("paused", 2)),
      call("act", [100, until], unknown, HIT),
      call("act", [until + 100, until + 200], paused, HIT),
      call("resume", [until + 300, until + 400], shown("active", 3)),
    ];
    const events = (at: number) => [change("paused", 30), change("resumed", 550), strike(HIT, at, 50)];
    expect(judge(calls(200), events(600), AFTER_HIT)).toEqual([]);
    expect(judge(calls(200), events(5_201), AFTER_HIT)).toContain("misplaced-event");
    const thawed = [{ from: 90, to: 20_000 }];
    expect(judge(calls(200), events(20_100), AFTER_HIT, thawed)).toEqual([]);
  });
});

describe("calls that overlap", () => {
  it("two actions at once may come in either order, and not when one was answered before the other was sent", () => {
    const first = call("act", [100, 300], happened(2, AFTER_BOTH), HIT);
    const calls = (sentAt: number) => [
      first,
      call("act", [sentAt, 400], happened(1, [`${ONE} active 50 0`, `${TWO} active 60 10`]), BACK),
    ];
    const events = [strike(BACK, 250, 50), strike(HIT, 260, 50)];
    expect(judge(calls(200), events, AFTER_BOTH)).toEqual([]);
    expect(judge(calls(301), events, AFTER_BOTH)).toContain("early-answer");
  });

  it("a reader may be shown the match before or after an action under way, and before it only until it is answered", () => {
    const read = (sentAt: number, answeredAt: number, last: number) =>
      call("state", [sentAt, answeredAt], { is: "shown", standings: last ? AFTER_HIT : UNHURT, over: false, last });
    const act = call("act", [100, 300], happened(1, AFTER_HIT), HIT);
    const of = (one: MatchCall) => judge([act, one], [strike(HIT, 200, 50)], AFTER_HIT);
    expect(of(read(150, 160, 0))).toEqual([]);
    expect(of(read(150, 160, 1))).toEqual([]);
    expect(of(read(299, 500, 0))).toEqual([]);
    expect(of(read(301, 500, 0))).toContain("stale-answer");
    expect(of(read(80, 99, 1))).toContain("early-answer");
  });

  it("of two changes that ask for one version the second is refused; both are not told that they made the next", () => {
    const pause = (answer: MatchAnswer): MatchCall => ({ ...call("pause", [110, 300], answer), version: 1 });
    const other: MatchCall = { ...call("pause", [100, 200], shown("paused", 2)), version: 1 };
    const conflict: MatchAnswer = { is: "refused", code: "version_conflict" };
    expect(judge([other, pause(conflict)], [change("paused", 150)], UNHURT)).toEqual([]);
    expect(judge([other, pause(shown("paused", 2))], [change("paused", 150)], UNHURT)).toContain("version-twice");
    expect(judge([pause(conflict)], [], UNHURT)).toContain("refused-without-cause");
  });
});
