/** Networks that lose things, for clients. */
import type { Fetch } from "../../../src/client/platform.ts";

/** The same way every time; 0 ≤ x < 1. */
export function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** Cuts each event stream after a few of its bytes, also in the middle of an event. */
export function cutStreams(random: () => number, bytesMax: number): { fetch: Fetch; cuts(): number } {
  let cuts = 0;
  const fetchCut: Fetch = async (url, init) => {
    const response = await fetch(url, init);
    if (!url.endsWith("/events") || !response.body) return response;
    let left = 1 + Math.floor(random() * bytesMax);
    const cut = new TransformStream<Uint8Array, Uint8Array>({
      transform(piece, controller) {
        controller.enqueue(piece.subarray(0, left));
        left -= piece.length;
        if (left > 0) return;
        cuts++;
        controller.error(new TypeError("the connection was cut"));
      },
    });
    return new Response(response.body.pipeThrough(cut), response);
  };
  return { fetch: fetchCut, cuts: () => cuts };
}

/** Loses answers, after their calls were carried out. `drops`: whether this one's. */
export function loseAnswers(drops: (kind: string) => boolean): { fetch: Fetch; lost: string[] } {
  const lost: string[] = [];
  const fetchLost: Fetch = async (url, init) => {
    const kind = `${init.method ?? "GET"} ${new URL(url).pathname.split("/").at(-1)}`;
    const drop = !url.endsWith("/events") && drops(kind);
    const response = await fetch(url, init);
    if (!drop) return response;
    lost.push(kind);
    await response.text();
    throw new TypeError("the connection was cut");
  };
  return { fetch: fetchLost, lost };
}

/** Pauses are a hundredth as long; silence and the like stay. */
export const shortTimers = {
  setTimeout: (run: () => void, ms: number) => setTimeout(run, ms < 40_000 ? ms / 100 : ms),
  clearTimeout: (timer: unknown) => clearTimeout(timer as number),
};
