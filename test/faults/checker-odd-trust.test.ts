/** Of proof and leases: histories that look wrong and are not. Beside each, the same a step too far. */
import { describe, expect, it } from "vitest";
import type { ActiveRow } from "./checker/history.ts";
import { A, B, call, ended, judge, live, over, row, started, TIMEOUT_MS, unknown } from "./checker-proof/odd.ts";
import type { Answer, Call } from "./load/call.ts";

const challenged: Answer = { is: "challenged", challenge: "a challenge" };
const proof = (instance: string, number: number, answers = false, beatId = `${instance}-${number}`) => ({
  proof: { instance, number, beatId, answers },
});
const beat = (at: [number, number], answer: Answer, more: Partial<Call>) => call("heartbeat", A, at, answer, more);

describe("proof", () => {
  const start = call("start", A, [100, 200], started(1, 150), proof("x", 0));
  const y = [beat([300, 310], challenged, proof("y", 0)), beat([320, 330], live(1), proof("y", 0, true))];

  it("of the process before may be accepted late, if it was sent before the next one was", () => {
    const late = (sentAt: number) => beat([sentAt, 900], live(1), proof("x", 1));
    expect(judge([start, ...y, late(329)], [row(A, 1, [150, 330])])).toEqual([]);
    expect(judge([start, ...y, late(331)], [row(A, 1, [150, 335])])).toContain("untold-copy");
  });

  it("that is sent again is no second sign of life", () => {
    const [lost, again] = [beat([1_000, 1_100], unknown, proof("x", 1)), beat([2_000, 2_100], live(1), proof("x", 1))];
    const expired = (at: number) => over(row(A, 1, [150, at]), "expired", at + TIMEOUT_MS);
    const told = beat([at(1_050) - 10, at(1_050) + 10], ended("expired", at(1_050)), proof("x", 2));
    expect(judge([start, lost, again, told], [expired(1_050)])).toEqual([]);
    const other = beat([2_000, 2_100], live(1), proof("x", 2));
    expect(judge([start, lost, other, told], [expired(1_050)])).toContain("early-expiry");
  });

  it("may be behind where a crash has lost what was before, and not otherwise", () => {
    const beats = [
      beat([3_900, 3_950], live(1), proof("x", 1)),
      beat([5_100, 5_150], live(1), proof("x", 1, false, "another")),
    ];
    const crash = { crashes: [{ from: 4_000, to: 4_100 }], outages: [{ from: 4_000, to: 5_000 }] };
    expect(judge([start, ...beats], [row(A, 1, [150, 5_120])], crash)).toEqual([]);
    expect(judge([start, ...beats], [row(A, 1, [150, 5_120])])).toContain("untold-copy");
  });

  it("of two that really run ends the session, once the one has answered", () => {
    const told: Answer = { is: "ended", reason: "cloned", endedAt: 425 };
    const calls = [
      start,
      ...y,
      beat([400, 410], challenged, proof("x", 1)),
      beat([420, 430], told, proof("x", 1, true)),
    ];
    const rows = [over(row(A, 1, [150, 325]), "cloned", 425)];
    const copied = (from: number) => judge(calls, rows, {}, null, [{ key: 1, sessionId: A, from }]);
    expect(copied(250)).toEqual([]);
    expect(copied(431)).toContain("false-alarm");
    expect(judge(calls, rows)).toContain("false-alarm");
  });

  it("is challenged again where another beat came between, and for ever nowhere", () => {
    const tries = [0, 1, 2, 3].map((n) => beat([300 + 20 * n, 310 + 20 * n], challenged, proof("y", 0, n > 0)));
    const between = beat([330, 340], live(1), proof("x", 1));
    expect(judge([start, ...tries, between], [row(A, 1, [150, 335])])).toEqual([]);
    const kept = beat([4_000, 4_010], live(1), proof("x", 1));
    const soon = tries.map((one) => ({ ...one, sentAt: one.sentAt + 9_000, answeredAt: one.answeredAt + 9_000 }));
    expect(judge([start, kept, ...soon], [row(A, 1, [150, 4_005])], { timeoutMs: 60_000 })).toContain(
      "endless-challenge",
    );
  });

  it("may be missing in a beat of unknown outcome, which counts for nothing", () => {
    const bare = call("heartbeat", A, [1_000, 1_100], unknown);
    expect(judge([start, bare], [row(A, 1, [150, 150])])).toEqual([]);
    const sooner = beat([500, 510], live(1), proof("x", 1));
    expect(judge([start, sooner, bare], [row(A, 1, [150, 1_050])])).toContain("misplaced-heartbeat");
  });
});

describe("a lease", () => {
  const start = call("start", A, [100, 200], started(1, 150));
  const until = 36_350;
  const leased = (lease = "lease"): Answer => ({ is: "leased", lease, leaseId: lease, issuedAt: 350, until });
  const given = call("lease", A, [300, 400], leased());
  const expired = over(row(A, 1, [150, 150]), "expired", 150 + TIMEOUT_MS);
  const takeover = (at: number) => call("start", B, [at - 50, at + 50], started(2, at));
  const alive = (at: number): ActiveRow => row(B, 2, [at, at]);
  const giveBack = (answer: Answer) => call("return", A, [6_000, 6_100], answer, { leaseId: "lease" });

  it("may keep nobody out once it may have been given back, or its key been kicked", () => {
    for (const end of [
      giveBack(unknown),
      giveBack({ is: "returned", success: true }),
      call("kick", A, [6_000, 6_100], unknown),
    ]) {
      expect(judge([start, given, end, takeover(6_050)], [expired, alive(6_050)])).toEqual([]);
      expect(judge([start, given, end, takeover(5_990)], [expired, alive(5_990)])).toContain("started-beside-lease");
    }
  });

  it("may keep somebody out as long as it may not yet be over", () => {
    const keptOut = (sentAt: number) =>
      call("start", B, [sentAt, 7_000], { is: "refused", code: "key_in_use", holderGeneration: 1, leasedUntil: until });
    const back = giveBack({ is: "returned", success: true });
    expect(judge([start, given, back, keptOut(6_099)], [expired])).toEqual([]);
    expect(judge([start, given, back, keptOut(6_101)], [expired])).toContain("kept-out");
    expect(judge([start, keptOut(6_101)], [expired])).toContain("kept-out");
    const lost = call("lease", A, [300, 400], unknown);
    expect(judge([start, lost, keptOut(6_101)], [expired])).toEqual([]);
  });

  it("that was asked for twice at once may be named by either answer, and is one", () => {
    const again = (lease: string) => call("lease", A, [410, 450], leased(lease));
    expect(judge([start, given, again("lease")], [expired])).toEqual([]);
    expect(judge([start, given, again("another")], [expired])).toContain("second-lease");
  });

  it("is over with the start that came back by it, even where its answer is lost", () => {
    const back = call("start", B, [6_000, 6_100], unknown, { leaseId: "lease" });
    const other = "cccccccc-of-device-c";
    const third = call("start", other, [6_200, 6_300], started(3, 6_250, { previous: B }));
    const rows = [expired, over(row(B, 2, [6_050, 6_050]), "replaced", 6_250, 3), row(other, 3, [6_250, 6_250])];
    expect(judge([start, given, back, third], rows)).toEqual([]);
    const { leaseId: _, ...plain } = back;
    expect(judge([start, given, plain, third], rows)).toContain("started-beside-lease");
  });
});

/** When a session expires that was heard of then. */
function at(heardAt: number): number {
  return heardAt + TIMEOUT_MS;
}
