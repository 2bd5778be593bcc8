/** Somebody else holds a lock in our database. */
import type { Fault } from "../fault.ts";
import type { LoadKey } from "../load/load.ts";
import { p99Ms } from "../scene/measure.ts";
import { underLoad } from "../scene/scene.ts";

const P99_MS_MAX = 1_000;

const lockRow: Fault = {
  name: "lock-row",
  breaks: "a key's rows are locked for 10 s by another client",
  run: (room) =>
    underLoad(room, {}, async (scene) => {
      const [locked] = scene.keys as [LoadKey];
      const other = scene.postgres.connect();
      try {
        await other`BEGIN`;
        await other`SELECT FROM keys WHERE id = ${locked.id} FOR UPDATE`;
        await other`SELECT FROM active_sessions WHERE key_id = ${locked.id} FOR UPDATE`;
        const from = performance.now();
        await scene.wait(room.short ? 5 : 10);
        const during = scene.load.calls.filter((call) => call.sentAt >= from);
        await other`ROLLBACK`;
        const others = during.filter((call) => call.key !== locked.id);
        const stuck = during.filter((call) => call.key === locked.id && call.answer.is === "unknown").length;
        const p99 = Math.round(p99Ms(others));
        return {
          figure: `other keys' p99 ${p99} ms, over ${others.length} calls; ${stuck} calls of the locked key told to come again`,
          violations: p99 <= P99_MS_MAX ? [] : [`other keys' p99 was ${p99} ms`],
        };
      } finally {
        await other.end({ timeout: 1 });
      }
    }),
};

export const lockFaults: Fault[] = [lockRow];
