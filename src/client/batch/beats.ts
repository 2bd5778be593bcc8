/** Signs of life: they keep the run while a node takes long, and their answers tell whether it is still this worker's. */
import type { ProgressReply } from "../../sessions/batch/contract.ts";
import { retryDelayMs } from "../answer.ts";
import { type CallLink, call, pause, refusal } from "../calls.ts";
import { KeybeatError } from "../error.ts";
import { onAbort } from "../on-abort.ts";

const REST_MS = { min: 100, max: 60_000 };
/** Without any answer for so long, the worker gives up. */
const OUTAGE_MS_MAX = 3_600_000;

export class Beats {
  readonly #link: CallLink;
  readonly #run: { sessionId: string; attempt: number };
  readonly #lose: (error: KeybeatError) => void;
  #rest = new AbortController();

  constructor(link: CallLink, run: { sessionId: string; attempt: number }, lose: (error: KeybeatError) => void) {
    this.#link = link;
    this.#run = run;
    this.#lose = lose;
  }

  /** Beats until the signal fires, or the service refuses one. */
  async beat(signal: AbortSignal): Promise<void> {
    const { sessionId, attempt } = this.#run;
    const { clock } = this.#link;
    const asked = {
      method: "POST",
      path: `/${sessionId}/progress`,
      body: { attempt },
      expects: ({ report_in }: Partial<ProgressReply>) => Number(report_in) > 0,
    } as const;
    for (let answeredAt = clock.now(); !signal.aborted; ) {
      this.#rest = new AbortController();
      const stopFollowing = onAbort(signal, () => this.#rest.abort());
      const answer = await call<ProgressReply>(this.#link, asked, signal);
      if (answer.kind === "refused") return this.#lose(refusal(answer));
      if (answer.kind === "ok") answeredAt = clock.now();
      else if (clock.now() - answeredAt > OUTAGE_MS_MAX) {
        return this.#lose(new KeybeatError("unreachable", `no answer for an hour: ${answer.error}`));
      }
      const restMs = answer.kind === "ok" ? answer.body.report_in * 1000 : retryDelayMs(this.#link, answer);
      await pause(this.#link, Math.min(Math.max(restMs, REST_MS.min), REST_MS.max), this.#rest.signal);
      stopFollowing();
    }
  }

  /** Beats without waiting for the time. */
  soon(): void {
    this.#rest.abort();
  }
}
