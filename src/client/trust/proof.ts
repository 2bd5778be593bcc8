/**
 * Shows the service that the beats of a session come from one process (src/trust/README.md, Proof).
 *
 * What it promises: a beat is sent again unchanged until the service has answered it or something else is said, and no two
 * are under way at once. A challenge is answered at once, and never for a request that was given up, or after `stop`.
 */
import { type Answer, failed, type Refused } from "../answer.ts";
import { drawId } from "./draw-id.ts";

const ANSWERS_MAX = 5;

interface Beat {
  instance: string;
  number: number;
  beat_id: string;
}

export class Proof {
  /** In memory only. None while this process must not speak for the session: a tab without the lead. */
  #instance: string | undefined;
  #number = 0;
  /** The beat that is not answered yet, and what it says. */
  #pending: { beat: Beat; said: string } | undefined;
  /** Settles when the last one that was sent is answered or given up. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor() {
    this.begin();
  }

  /** A new instance: for a process, or a tab that takes the lead. */
  begin(): void {
    this.#instance = drawId();
    this.#number = 0;
    this.#pending = undefined;
    this.#turn = Promise.resolve();
  }

  /** From now on nothing is sent or answered, until it begins anew. */
  stop(): void {
    this.#instance = undefined;
    this.#pending = undefined;
  }

  /**
   * Sends one start, heartbeat or request for a lease by `ask`, with its proof, and answers what it is asked. It waits for the
   * one before: overtaken by a later one that would be challenged, and its answer would look like a copy's.
   */
  send<T>(body: object, ask: (body: object) => Promise<Answer<T>>, abort: AbortSignal): Promise<Answer<T>> {
    const instance = this.#instance;
    if (!instance) return Promise.resolve(failed("stopped"));
    const answer = this.#turn.then(() => this.#sendNow(instance, body, ask, abort));
    const givenUp = new Promise((resolve) => abort.addEventListener("abort", resolve));
    this.#turn = this.#turn.then(() => Promise.race([answer, givenUp]));
    return answer;
  }

  async #sendNow<T>(
    instance: string,
    body: object,
    ask: (body: object) => Promise<Answer<T>>,
    abort: AbortSignal,
  ): Promise<Answer<T>> {
    if (abort.aborted || this.#instance !== instance) return failed("given up");
    const said = JSON.stringify(body);
    // Another session's, say, as the stream told that this one is over; or what was given up.
    if (this.#pending?.said !== said) this.#pending = { said, beat: this.#draw(instance) };
    const { beat } = this.#pending;
    let answer = await ask({ ...body, proof: beat });
    for (let answers = 0; isChallenge(answer); answers++) {
      if (abort.aborted || this.#instance !== instance) return failed("given up");
      if (answers === ANSWERS_MAX) return failed(answer.body.code);
      answer = await ask({ ...body, proof: { ...beat, answer: answer.body.challenge } });
    }
    if (answer.kind !== "failed" && this.#pending?.beat === beat) this.#pending = undefined;
    return answer;
  }

  #draw(instance: string): Beat {
    return { instance, number: ++this.#number, beat_id: drawId() };
  }
}

const isChallenge = <T>(answer: Answer<T>): answer is Refused =>
  answer.kind === "refused" && answer.body.code === "proof_challenge";
