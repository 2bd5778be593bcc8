/** Somebody else holds a lock in our database. */
import { setTimeout as sleep } from "node:timers/promises";
import type postgres from "postgres";
import { openDatabase } from "../../../src/database/database.ts";
import { createHashKey } from "../../../src/keys/index.ts";
import { insertKeys } from "../../../src/keys/sql.ts";
import { newAccessKey, newSessionId } from "../../support/secrets.ts";
import type { Fault } from "../fault.ts";
import type { Call } from "../load/call.ts";
import type { LoadKey } from "../load/load.ts";
import { countUnknown, p99Ms } from "../scene/measure.ts";
import { type Scene, underLoad } from "../scene/scene.ts";

const P99_MS_MAX = 1_000;
/** For a busy machine: as a multiple of what it was before. */
const P99_TIMES_MAX = 3;

const lockRow: Fault = {
  name: "lock-row",
  breaks: "a key's rows are locked for 10 s by another client",
  run: (room) =>
    underLoad(room, {}, async (scene) => {
      const [locked] = scene.keys as [LoadKey];
      const { before, during } = await whileHeld(scene, room.short ? 5 : 10, async (other) => {
        await other`SELECT FROM keys WHERE id = ${locked.id} FOR UPDATE`;
        await other`SELECT FROM active_sessions WHERE key_id = ${locked.id} FOR UPDATE`;
      });
      const isOther = (call: Call) => call.key !== locked.id;
      const others = during.filter(isOther);
      const stuck = during.filter((call) => call.key === locked.id && call.answer.is === "unknown").length;
      const { p99, violations } = compare("other keys' calls", before.filter(isOther), others);
      return {
        figure: `other keys' p99 ${p99} ms, over ${others.length} calls; ${stuck} calls of the locked key told to come again`,
        violations,
      };
    }),
};

/** One silent device comes back meanwhile: its expiry cannot be written down. */
function lockHistory(name: string, mode: string, breaks: string): Fault {
  return {
    name,
    breaks,
    run: (room) =>
      underLoad(room, {}, async (scene) => {
        const silent = newSessionId();
        const call = (verb: string, body: object) =>
          fetch(`${scene.servers[0]?.url}/api/session/${verb}`, {
            method: "POST",
            headers: { "Content-Type": "application/json" },
            body: JSON.stringify(body),
          }).then((reply) => reply.status);
        await call("start", { access_key: scene.spareKey.accessKey, session_id: silent });
        const told: number[] = [];
        const { before, during } = await whileHeld(scene, room.short ? 8 : 15, async (other) => {
          await other.unsafe(`LOCK TABLE session_history IN ${mode} MODE`);
          // By now no cleanup can take it to the history.
          await scene.postgres.sql`
            UPDATE active_sessions SET last_heartbeat = last_heartbeat - interval '1 hour' WHERE session_id = ${silent}`;
          const ask = () => call("heartbeat", { session_id: silent }).then((status) => told.push(status));
          void ask()
            .then(ask)
            .catch(() => {});
        });
        const isBeat = ({ operation, answer }: Call) => operation === "heartbeat" && answer.is === "live";
        const beats = during.filter(isBeat);
        const { p99, violations } = compare("heartbeats", before.filter(isBeat), beats);
        const after = await call("heartbeat", { session_id: silent });
        return {
          figure: `p99 of ${beats.length} heartbeats ${p99} ms; the silent device was told ${told.join(", ")}, then ${after}`,
          violations: [
            ...violations,
            ...(beats.length > 0 ? [] : ["no heartbeat was answered while the history was locked"]),
            ...(told.some((status) => status === 200) ? ["a silent device was told that it is live"] : []),
            ...(after === 410 ? [] : [`the silent device was told ${after} afterwards`]),
          ],
        };
      }),
  };
}

const holdState: Fault = {
  name: "hold-service-state",
  breaks: "a forgotten transaction holds the service's own row for a minute",
  run: (room) =>
    underLoad(room, {}, async (scene) => {
      const expired = countExpiries(scene.load.calls);
      const { before, during } = await whileHeld(scene, room.short ? 12 : 60, async (other) => {
        await other`SELECT FROM service_state FOR UPDATE`;
        // A start meanwhile waits for nothing.
        await scene.servers[1]?.stop("SIGTERM");
        await scene.servers[1]?.start();
      });
      const stayed = ({ server }: Call) => server === 0;
      const unknown = countUnknown(during.filter(stayed));
      const expiries = countExpiries(scene.load.calls) - expired;
      const { p99, violations } = compare("calls", before.filter(stayed), during.filter(stayed));
      return {
        figure: `p99 ${p99} ms over ${during.length} calls, ${unknown} unanswered, ${expiries} silent devices expired meanwhile`,
        violations: [...violations, ...(expiries > 0 ? [] : ["nobody expired while the row was held"])],
      };
    }),
};

const countExpiries = (calls: readonly Call[]) =>
  new Set(
    calls.filter(({ answer }) => answer.is === "ended" && answer.reason === "expired").map((call) => call.sessionId),
  ).size;

const importsCross: Fault = {
  name: "imports-cross",
  breaks: "two imports of the same keys in opposite order, again and again",
  run: (room) =>
    underLoad(room, {}, async (scene) => {
      const databases = [openDatabase(scene.postgres.url), openDatabase(scene.postgres.url)];
      const hashKey = createHashKey(undefined);
      const by = { who: "a fault", from: null };
      const failed: string[] = [];
      const rounds = room.short ? 5 : 10;
      for (let round = 0; round < rounds; round++) {
        const keys = Array.from({ length: 2_000 }, newAccessKey).map((key) => ({
          hash: hashKey(key),
          alias: null,
          prefix: key.slice(0, 8),
          label: null,
          expiresAt: null,
        }));
        const results = await Promise.allSettled(
          databases.map((database, at) => insertKeys(database, at === 0 ? keys : [...keys].reverse(), by)),
        );
        for (const result of results) if (result.status === "rejected") failed.push(String(result.reason.cause));
      }
      await Promise.all(databases.map((database) => database.close()));
      return {
        figure: `${failed.length} of ${2 * rounds} imports failed`,
        violations: failed.map((why) => `an import failed: ${why}`),
      };
    }),
};

/** Whether calls were slow, and slower than before by more than a busy machine explains. */
function compare(what: string, before: Call[], during: Call[]): { p99: number; violations: string[] } {
  const p99 = Math.round(p99Ms(during));
  const bound = Math.max(P99_MS_MAX, P99_TIMES_MAX * p99Ms(before));
  return {
    p99,
    violations: p99 <= bound ? [] : [`the p99 of ${what} was ${p99} ms, before ${Math.round(p99Ms(before))}`],
  };
}

/** What the load asked while another client's transaction held what `take` took, and before. */
async function whileHeld(
  scene: Scene,
  seconds: number,
  take: (other: postgres.Sql) => Promise<unknown>,
): Promise<{ before: Call[]; during: Call[] }> {
  const other = scene.postgres.connect();
  try {
    await other`BEGIN`;
    const from = performance.now();
    const before = scene.load.calls.filter((call) => call.sentAt < from);
    await take(other);
    await sleep(seconds * 1000, undefined, { signal: scene.signal });
    const during = scene.load.calls.filter((call) => call.sentAt >= from);
    await other`ROLLBACK`;
    return { before, during };
  } finally {
    await other.end({ timeout: 1 });
  }
}

export const lockFaults: Fault[] = [
  lockRow,
  lockHistory("lock-history-share", "SHARE", "an index is built on the history for 15 s (SHARE)"),
  lockHistory("lock-history", "ACCESS EXCLUSIVE", "the history is rewritten for 15 s (ACCESS EXCLUSIVE)"),
  holdState,
  importsCross,
];
