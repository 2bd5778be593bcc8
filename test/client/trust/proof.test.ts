/** Proof beyond the conformance table: requests that were cancelled, instances that ended. */
import { describe, expect, it } from "vitest";
import { type Answer, failed } from "../../../src/client/answer.ts";
import { Proof } from "../../../src/client/trust/proof.ts";

interface Sent {
  session_id: string;
  proof: { instance: string; number: number; beat_id: string; answer?: string };
}

const BEAT = { session_id: "0123456789abcdef" };
const OK: Answer<object> = { kind: "ok", body: {} };
const CHALLENGE: Answer<object> = {
  kind: "refused",
  body: { code: "proof_challenge", error: "Show that you are running", challenge: "c-1" },
};

/** A service that answers by a list, and what it got. */
function service(...answers: (Answer<object> | (() => Answer<object>))[]) {
  const sent: Sent[] = [];
  const ask = async (body: object) => {
    sent.push(body as Sent);
    const answer = answers.shift() ?? OK;
    return typeof answer === "function" ? answer() : answer;
  };
  return { sent, ask };
}

describe("a challenge", () => {
  it("to a request that was cancelled is never answered, even where fetch ignores its signal", async () => {
    const proof = new Proof();
    const abort = new AbortController();
    const { sent, ask } = service(() => {
      abort.abort();
      return CHALLENGE;
    });
    expect(await proof.send(BEAT, ask, abort.signal)).toMatchObject({ kind: "failed" });
    expect(sent).toHaveLength(1);
    await proof.send(BEAT, ask, new AbortController().signal);
    expect(sent[1]).toEqual(sent[0]);
  });

  it.each([
    ["stopped", (proof: Proof) => proof.stop()],
    ["begun anew", (proof: Proof) => proof.begin()],
  ])("to an instance that was %s meanwhile is never answered", async (_, change) => {
    const proof = new Proof();
    const { sent, ask } = service(() => {
      change(proof);
      return CHALLENGE;
    });
    expect(await proof.send(BEAT, ask, new AbortController().signal)).toMatchObject({ kind: "failed" });
    expect(sent).toHaveLength(1);
  });
});

describe("an instance", () => {
  it("that was stopped sends nothing, and the next one has its own name, and numbers from the first", async () => {
    const proof = new Proof();
    const { sent, ask } = service();
    const { signal } = new AbortController();
    await proof.send(BEAT, ask, signal);
    await proof.send(BEAT, ask, signal);
    proof.stop();
    expect(await proof.send(BEAT, ask, signal)).toEqual(failed("stopped"));
    proof.begin();
    await proof.send(BEAT, ask, signal);
    expect(sent.map(({ proof: { number } }) => number)).toEqual([1, 2, 1]);
    expect(sent[2]?.proof.instance).not.toBe(sent[0]?.proof.instance);
    expect(new Set(sent.map(({ proof: { beat_id } }) => beat_id)).size).toBe(3);
  });

  it("whose late answer comes after the next began does not take that one's beat for answered", async () => {
    const proof = new Proof();
    const { signal } = new AbortController();
    let answer = (_: Answer<object>) => {};
    const held = new Promise<Answer<object>>((resolve) => {
      answer = resolve;
    });
    const late = proof.send(BEAT, () => held, signal);
    proof.begin();
    const { sent, ask } = service(failed("lost"), OK);
    await proof.send(BEAT, ask, signal);
    answer(OK);
    await late;
    await proof.send(BEAT, ask, signal);
    expect(sent[1]).toEqual(sent[0]);
  });
});
