/** The checker beside the real thing: two servers under load. What they did passes; broken in one place, it does not. */

import { setTimeout as sleep } from "node:timers/promises";
import { beforeAll, describe, expect, it } from "vitest";
import { useDatabase } from "../support/database.ts";
import { kickByPrefix } from "../support/operator.ts";
import { JWT_SECRET } from "../support/player-token.ts";
import { startServer } from "../support/process.ts";
import { checkHistory } from "./checker/check.ts";
import type { History } from "./checker/history.ts";
import { PLANTS } from "./checker-proof/plants.ts";
import { startLoad } from "./load/load.ts";
import { LEASING } from "./scene/leasing.ts";
import { tallyTrust } from "./scene/measure.ts";
import { roomSettings, roomTimeouts, roomUsers } from "./scene/room.ts";
import { compareClocks, readRows } from "./scene/rows.ts";

const TIMEOUT_SECONDS = 4;
const KEYS = 30;
const USERS = 16;
const WORKERS = 5;
const TABLES = 4;
const LOAD_MS_MAX = 45_000;

const db = useDatabase();
let recorded: History;

/** Records until everything has happened that something can be planted into. */
beforeAll(async () => {
  const env = {
    DATABASE_URL: db.url,
    SESSION_TIMEOUT_SECONDS: String(TIMEOUT_SECONDS),
    CLEANUP_CRON: "* * * * * *",
    LOG_LEVEL: "warn",
    JWT_SECRET,
    ...LEASING,
    ...roomSettings(TIMEOUT_SECONDS),
  };
  const servers = await Promise.all([startServer(env), startServer(env)]);
  const made = await Promise.all(Array.from({ length: KEYS }, () => db.makeKey()));
  const load = startLoad({
    servers: servers.map((server) => server.url),
    users: roomUsers(USERS),
    workers: WORKERS,
    tables: TABLES,
    keys: made.map(({ key, id }) => ({ id, accessKey: key })),
    timeoutMs: TIMEOUT_SECONDS * 1000,
    kick: async (prefix) => (await kickByPrefix(db.database, prefix)) === "kicked",
    signal: AbortSignal.timeout(LOAD_MS_MAX),
  });
  const record = async (): Promise<History> => {
    const clock = await compareClocks(db.sql);
    clock.errorMs += 10;
    const rows = await readRows(
      db.sql,
      made.map(({ id }) => id),
    );
    const timeoutMs = TIMEOUT_SECONDS * 1000;
    const roomTimeoutMs = roomTimeouts(TIMEOUT_SECONDS);
    const circumstances = { timeoutMs, roomTimeoutMs, outages: [], crashes: [], clock };
    const { calls, streams, copies, roomCalls, batchCalls, matchCalls } = load;
    return structuredClone({
      calls: [...calls],
      streams: [...streams],
      copies: [...copies],
      roomCalls: [...roomCalls],
      batchCalls: [...batchCalls],
      matchCalls: [...matchCalls],
      circumstances,
      rows,
    });
  };
  const startedAt = performance.now();
  while (performance.now() - startedAt < LOAD_MS_MAX) {
    await sleep(2_000);
    const history = await record();
    if (PLANTS.every(({ plant }) => takes(history, plant))) break;
  }
  await load.stop();
  for (const server of servers) expect(await server.stop()).toBe(0);
  recorded = await record();
}, 90_000);

/** Whether the history has a place for it. */
function takes(history: History, plant: (history: History) => void): boolean {
  try {
    plant(structuredClone(history));
    return true;
  } catch {
    return false;
  }
}

describe("a recorded history of two servers under load", () => {
  it("passes", () => {
    console.log(
      `${recorded.calls.length} calls, ${recorded.rows.history.length} endings, ${recorded.roomCalls.length} calls of the room, ${recorded.batchCalls.length} of batch, ${recorded.matchCalls.length} of matches; ${tallyTrust(recorded.calls, recorded.copies)}`,
    );
    expect(checkHistory(recorded)).toEqual([]);
  });

  it.each(PLANTS)("no longer passes when $name: $rule", ({ rule, plant }) => {
    const history = structuredClone(recorded);
    plant(history);
    expect(checkHistory(history).map((violation) => violation.rule)).toContain(rule);
  });
});
