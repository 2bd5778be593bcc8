/** Histories that look wrong and are not: the checker must not cry wolf. Beside each, the same a step too far. */
import { describe, expect, it } from "vitest";
import { A, B, call, ended, judge, live, over, row, started, TIMEOUT_MS, unknown } from "./checker-proof/odd.ts";

describe("an unknown outcome", () => {
  it("of a start may have happened, or not", () => {
    const calls = [call("start", A, [100, 200], unknown)];
    expect(judge(calls, [row(A, 1, [150, 150])])).toEqual([]);
    expect(judge(calls, [])).toEqual([]);
  });

  it("of a start that happened is found by its retry, which resumes", () => {
    const retry = call("start", A, [300, 400], started(1, 150, { resumed: true }));
    const rows = [row(A, 1, [150, 350])];
    expect(judge([call("start", A, [100, 200], unknown), retry], rows)).toEqual([]);
    expect(judge([retry], rows)).toContain("resumed-nothing");
  });

  it("of a start that happened and was replaced is found by its retry, which is refused", () => {
    const calls = [
      call("start", A, [100, 200], unknown),
      call("start", B, [300, 400], started(2, 350, { previous: A })),
      call("start", A, [500, 600], { is: "refused", code: "session_id_used" }),
    ];
    const rows = [over(row(A, 1, [150, 150]), "replaced", 350, 2), row(B, 2, [350, 350])];
    expect(judge(calls, rows)).toEqual([]);
    expect(judge(calls.slice(1), rows)).toContain("refused-yet-started");
  });

  it("of a start may take over after its rival was refused, as long as it is under way", () => {
    const calls = [
      call("start", A, [100, 200], started(1, 150)),
      call("start", B, [300, 3_800], unknown),
      call("start", B, [3_900, 4_000], { is: "refused", code: "key_in_use", holderGeneration: 1 }, { refuse: true }),
    ];
    const late = (at: number) => [over(row(A, 1, [150, 150]), "replaced", at, 2), row(B, 2, [at, at])];
    expect(judge(calls, late(4_500))).toEqual([]);
    expect(judge(calls, late(9_500))).toContain("misplaced-start");
  });

  it("of a start that a frozen database had before it froze may happen when it thaws, and not later", () => {
    const calls = [call("start", A, [100, 2_700], unknown)];
    const frozen = { outages: [{ from: 50, to: 20_000 }] };
    expect(judge(calls, [row(A, 1, [20_100, 20_100])], frozen)).toEqual([]);
    expect(judge(calls, [row(A, 1, [25_100, 25_100])], frozen)).toContain("misplaced-start");
  });

  it("of an end may have happened, or not", () => {
    const calls = [call("start", A, [100, 200], started(1, 150)), call("end", A, [300, 400], unknown)];
    const active = row(A, 1, [150, 150]);
    expect(judge(calls, [active])).toEqual([]);
    expect(judge(calls, [over(active, "ended", 350)])).toEqual([]);
    expect(judge(calls.slice(0, 1), [over(active, "ended", 350)])).toContain("unexplained-ended");
  });

  it("of an end that happened is found by its retry, which ends nothing", () => {
    const calls = [
      call("start", A, [100, 200], started(1, 150)),
      call("end", A, [300, 400], unknown),
      call("end", A, [500, 600], { is: "done", success: false }),
    ];
    expect(judge(calls, [over(row(A, 1, [150, 150]), "ended", 350)])).toEqual([]);
  });
});

describe("calls that overlap", () => {
  const takeover = call("start", B, [300, 400], started(2, 350, { previous: A }));
  const rows = [over(row(A, 1, [150, 310]), "replaced", 350, 2), row(B, 2, [350, 350])];
  const start = call("start", A, [100, 200], started(1, 150));

  it("a heartbeat may be accepted that was sent before the takeover was acknowledged, however late its answer comes", () => {
    expect(judge([start, takeover, call("heartbeat", A, [310, 900], live(1))], rows)).toEqual([]);
    expect(judge([start, takeover, call("heartbeat", A, [401, 900], live(1))], rows)).toContain("live-after-takeover");
  });

  it("two starts at once may come in either order", () => {
    const calls = [
      call("start", A, [100, 400], started(2, 300, { previous: B })),
      call("start", B, [110, 300], started(1, 200)),
    ];
    expect(judge(calls, [over(row(B, 1, [200, 200]), "replaced", 300, 2), row(A, 2, [300, 300])])).toEqual([]);
    const [first, second] = [
      call("start", B, [310, 500], started(1, 400)),
      call("start", A, [100, 300], started(2, 200)),
    ];
    const turned = [over(row(B, 1, [400, 400]), "replaced", 200, 2), row(A, 2, [200, 200])];
    expect(judge([first, second], turned)).toContain("falling-generation");
  });

  it("one start sent twice at once starts once and resumes once", () => {
    const calls = [
      call("start", A, [100, 210], started(1, 150, { resumed: true })),
      call("start", A, [100, 200], started(1, 150)),
    ];
    expect(judge(calls, [row(A, 1, [150, 160])])).toEqual([]);
  });

  it("an end or a heartbeat may come before the start that is under way, and find nothing", () => {
    const calls = [
      call("start", A, [100, 400], started(1, 350)),
      call("end", A, [200, 300], { is: "done", success: false }),
      call("heartbeat", A, [200, 300], { is: "not-found" }),
    ];
    expect(judge(calls, [row(A, 1, [350, 350])])).toEqual([]);
    const after = call("heartbeat", A, [410, 500], { is: "not-found" });
    expect(judge([...calls, after], [row(A, 1, [350, 350])])).toContain("forgotten-session");
  });

  it("a start may be refused for a holder who ends meanwhile, and not for one who had ended before", () => {
    const end = call("end", A, [300, 400], { is: "done", success: true });
    const refused = (sentAt: number) =>
      call("start", B, [sentAt, 500], { is: "refused", code: "key_in_use", holderGeneration: 1 }, { refuse: true });
    const gone = [over(row(A, 1, [150, 150]), "ended", 350)];
    expect(judge([start, end, refused(390)], gone)).toEqual([]);
    expect(judge([start, end, refused(401)], gone)).toContain("live-after-ending");
  });

  it("a status may find nobody while the key changes hands by an end and a start", () => {
    const calls = [
      start,
      call("end", A, [300, 400], { is: "done", success: true }),
      call("status", "", [390, 600], { is: "inactive" }),
      call("start", B, [500, 550], started(2, 520)),
    ];
    expect(judge(calls, [over(row(A, 1, [150, 150]), "ended", 350), row(B, 2, [520, 520])])).toEqual([]);
  });
});

describe("silence", () => {
  const start = call("start", A, [100, 200], started(1, 150));
  const expired = over(row(A, 1, [150, 150]), "expired", 150 + TIMEOUT_MS);
  const told = (at: number) => call("heartbeat", A, [at - 50, at], ended("expired", 150 + TIMEOUT_MS));

  it("expires a session after the timeout, counted from the sending of the last beat that was acknowledged", () => {
    expect(judge([start, told(100 + TIMEOUT_MS)], [expired])).toEqual([]);
    expect(judge([start, told(99 + TIMEOUT_MS)], [expired])).toContain("early-expiry");
  });

  it("of a session whose beats were all of unknown outcome may expire it", () => {
    const beats = [1_000, 2_000, 3_000].map((at) => call("heartbeat", A, [at, at + 100], unknown));
    expect(judge([start, ...beats, told(200 + TIMEOUT_MS)], [expired])).toEqual([]);
  });

  it("for longer than the timeout is not outlived, unless there was a gap in service", () => {
    const calls = (sentAt: number) => [start, call("heartbeat", A, [sentAt, sentAt + 10], live(1))];
    const rows = (at: number) => [row(A, 1, [150, at])];
    expect(judge(calls(200 + TIMEOUT_MS), rows(205 + TIMEOUT_MS))).toEqual([]);
    expect(judge(calls(201 + TIMEOUT_MS), rows(205 + TIMEOUT_MS))).toContain("outlived-silence");
    const gap = (endedAt: number) => ({ beganAt: 1_000, endedAt });
    expect(judge(calls(9_000), rows(9_005), {}, gap(4_000))).toEqual([]);
    expect(judge(calls(9_001), rows(9_005), {}, gap(4_000))).toContain("outlived-silence");
  });

  it("after a start that was told 503 is nobody's: asked again long after, it may begin", () => {
    const before = call("start", A, [100, 200], unknown);
    const [at, late] = [20_000, 20_010];
    expect(judge([before, call("start", A, [at, late], started(1, at))], [row(A, 1, [at, at])])).toEqual([]);
    const resumed = call("start", A, [at, late], started(1, 150, { resumed: true }));
    expect(judge([before, resumed], [row(A, 1, [150, at])])).toContain("outlived-silence");
  });

  it("does not count while the service was away; who was dead before stays dead", () => {
    const away = { outages: [{ from: 4_000, to: 24_000 }] };
    const later = over(row(A, 1, [150, 150]), "expired", 24_000 + TIMEOUT_MS);
    const toldLater = (at: number) => call("heartbeat", A, [at - 50, at], ended("expired", 24_000 + TIMEOUT_MS));
    expect(judge([start, toldLater(24_000 + TIMEOUT_MS)], [later], away)).toEqual([]);
    expect(judge([start, toldLater(23_999 + TIMEOUT_MS)], [later], away)).toContain("early-expiry");
    expect(judge([start, told(24_100)], [expired], { outages: [{ from: 5_101, to: 24_000 }] })).toEqual([]);
  });

  it("may have begun a second before a crash of the database, which loses heartbeats, and no starts", () => {
    const crash = { crashes: [{ from: 4_000, to: 4_100 }], outages: [{ from: 4_000, to: 5_000 }] };
    const beat = (at: number) => call("heartbeat", A, [at, at + 10], live(1));
    expect(judge([start, beat(3_500)], [row(A, 1, [150, 150])], crash)).toEqual([]);
    expect(judge([start, beat(2_900)], [row(A, 1, [150, 150])], crash)).toContain("lost-heartbeat");
    expect(judge([call("start", A, [3_500, 3_600], started(1, 3_550))], [], crash)).toContain("lost-start");
  });
});
