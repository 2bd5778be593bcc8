/**
 * Game sessions over HTTP: the service, its embedded PostgreSQL and this client on one machine. Measures each call, one
 * after the other, beside 10, 1,000 … sessions, with their matches of 20 players; how many creates and actions many
 * clients get done; what the database keeps. Beside it pgbench, where it is installed, sends the statement of a create
 * without the service.
 *
 *   npm run bench:game [-- --sessions 500000 --clients 50 --seconds 5 --json]
 */
import { loadavg } from "node:os";
import { parseArgs } from "node:util";
import { SignJWT } from "jose";
import { type Call, describeCalls, type Load, load, openCalls } from "./calls.ts";
import {
  act,
  CREATE_SCRIPT,
  foldAll,
  gameId,
  type Match,
  makeMatches,
  newSession,
  playerOf,
  readGameBytes,
  seedGames,
} from "./game-sessions.ts";
import type { LoadReport } from "./generator/protocol.ts";
import { PGBENCH_CLIENTS, runPgbench } from "./pgbench.ts";
import { findProgram } from "./programs.ts";
import { clear, round, show, thousands } from "./progress.ts";
import { type BenchDatabase, buildProgram, openBenchDatabase, startService } from "./service.ts";
import { runBenchmark } from "./teardown.ts";

const { values } = parseArgs({
  allowNegative: true,
  options: {
    sessions: { type: "string", default: "100000" },
    clients: { type: "string", default: "50" },
    seconds: { type: "string", default: "5" },
    build: { type: "boolean", default: true },
    json: { type: "boolean", default: false },
  },
});
const [sessions, clients, seconds] = [values.sessions, values.clients, values.seconds].map(Number) as [
  number,
  number,
  number,
];
const SIZES = [10, 1_000, 10_000, 100_000, 500_000].filter((size) => size < sessions).concat(sessions);
const SESSIONS_A_MATCH = 50;
const PLAYERS = 20;
const SECRET = "a-secret-for-the-tokens-of-the-benchmark";

await runBenchmark(async (teardown) => {
  if (values.build) buildProgram();
  const database = await openBenchDatabase(teardown);
  const { sql } = database;
  const service = await startService(database.url, { JWT_SECRET: SECRET, LOG_LEVEL: "error" }, teardown);
  const token = await new SignJWT({ role: "service" })
    .setProtectedHeader({ alg: "HS256" })
    .setSubject("bench")
    .setExpirationTime("1d")
    .sign(new TextEncoder().encode(SECRET));
  const call = openCalls(`${service.url}/api/v1/game`, clients, teardown, { Authorization: `Bearer ${token}` });

  const empty = await readGameBytes(sql);
  const bySize: Array<Record<string, Load>> = [];
  const matches: Match[] = [];
  let seeded = 0;
  let bytesASession = Number.NaN;
  let bytesAMatch = Number.NaN;
  for (const size of SIZES) {
    show(`each call beside ${thousands(size)} sessions …`);
    const before = await readGameBytes(sql);
    await seedGames(sql, { from: seeded, to: size });
    const after = await readGameBytes(sql);
    const more = Math.ceil(size / SESSIONS_A_MATCH) - matches.length;
    matches.push(...(await makeMatches(call, { count: more, players: PLAYERS, atOnce: clients })));
    bytesASession = (after.all - before.all) / (size - seeded);
    bytesAMatch = ((await readGameBytes(sql)).all - after.all) / more;
    seeded = size;
    await foldAll(sql);
    await sql`VACUUM game_sessions, game_combats, game_participants`; // as the database does by itself within minutes
    bySize.push(await measureEach(call, size, matches));
  }

  show(`creates and actions of ${clients} clients, ${seconds} s each …`);
  let made = 0;
  const creates = await load({ seconds, connections: clients }, () => call("POST", "/sessions", newSession(made++)));
  let acted = 0;
  const actions = await load({ seconds, connections: clients }, () =>
    act(call, matches[acted % matches.length] as Match, acted++),
  );
  await foldAll(sql);
  const kept = await readGameBytes(sql);
  show(`the statement of a create, by pgbench, ${seconds} s …`);
  const pgbench = await runFloor(database, teardown.signal);
  clear();

  const result = {
    load_average: round(loadavg()[0] as number),
    ...Object.fromEntries(
      SIZES.flatMap((size, at) =>
        Object.entries(bySize[at] ?? {}).map(([name, { p95Ms }]) => [`${name}_beside_${size}_p95_ms`, p95Ms]),
      ),
    ),
    clients,
    creates_per_second: creates.perSecond,
    creates_p95_ms: creates.p95Ms,
    creates_times_pgbench: pgbench && round(creates.perSecond / pgbench.per_second),
    actions_per_second: actions.perSecond,
    actions_p95_ms: actions.p95Ms,
    pgbench_clients: pgbench && PGBENCH_CLIENTS,
    pgbench_creates_per_second: pgbench && Math.round(pgbench.per_second),
    pgbench_create_p95_ms: pgbench?.latency.p95_ms,
    bytes_a_session: Math.round(bytesASession),
    bytes_a_match: Math.round(bytesAMatch),
    matches: matches.length,
    bytes_of_numbers: kept.numbers - empty.numbers,
    rollups: kept.rollups,
  };
  if (values.json) console.log(JSON.stringify(result));
  else for (const [name, value] of Object.entries(result)) console.log(`${name.padEnd(40)} ${value ?? "-"}`);
});

/** One call after the other; `health` is the least that a call with a question to the database takes. What is made is ended too. */
async function measureEach(call: Call, size: number, matches: Match[]): Promise<Record<string, Load>> {
  const time = { seconds: seconds / 5, connections: 1 };
  let turn = 0;
  const live = () => gameId(((turn++ * 7_919) % Math.floor(size / 3)) * 3 + 1);
  const measure = (...to: Parameters<Call>) => load(time, () => call(...to));
  const made: string[] = [];

  const health = await measure("GET", "/health");
  const read = await load(time, () => call("GET", `/sessions/${live()}`));
  const update = await load(time, () => call("PUT", `/sessions/${live()}`, { metadata: { turn } }));
  const list = await measure("GET", "/sessions?limit=20");
  const list_of_active = await measure("GET", "/sessions?limit=20&status=active");
  const list_of_player = await measure("GET", `/sessions?limit=20&player_id=${playerOf(0)}`);
  const list_of_matches = await measure("GET", "/combat/sessions");
  const action = await load(time, () => act(call, matches[turn % matches.length] as Match, turn++));
  const state = await load(time, () => call("GET", `/combat/sessions/${matches[turn++ % matches.length]?.id}/state`));
  const analytics = await measure("GET", "/analytics/sessions?timeframe=24h");
  const analytics_30d = await measure("GET", "/analytics/sessions?timeframe=30d");
  const create = await load(time, async () => {
    const answer = await call("POST", "/sessions", newSession(turn++));
    made.push(JSON.parse(answer.body).session_id);
    return answer;
  });
  // Each once: ending one that has ended costs less.
  const ends: number[] = [];
  for (const id of made) ends.push((await call("DELETE", `/sessions/${id}`)).ms);
  const end = describeCalls(ends, time.seconds);
  const lists = { list, list_of_active, list_of_player, list_of_matches };
  return { health, create, read, update, end, ...lists, action, state, analytics, analytics_30d };
}

async function runFloor({ url, folder }: BenchDatabase, signal: AbortSignal): Promise<LoadReport | undefined> {
  const pgbench = findProgram("pgbench");
  if (pgbench === undefined) return undefined;
  return runPgbench(pgbench, CREATE_SCRIPT, { seconds, databaseUrl: url, folder, signal });
}
