/**
 * The waiting room with ten thousand in line, over HTTP, the service, its embedded PostgreSQL and this client on one
 * machine. Measures a second's places taken, seats given up with the promotion that follows, and positions asked.
 *
 *   npm run bench:waiting-room [-- --waiting 10000 --seconds 10 --connections 20 --json]
 */
import { parseArgs } from "node:util";
import { type Answer, type Call, describeCalls, type Load, load, openCalls } from "./calls.ts";
import { clear, round, show } from "./progress.ts";
import { buildProgram, openBenchDatabase, startService } from "./service.ts";
import { runBenchmark } from "./teardown.ts";

const { values } = parseArgs({
  allowNegative: true,
  options: {
    waiting: { type: "string", default: "10000" },
    seconds: { type: "string", default: "10" },
    connections: { type: "string", default: "20" },
    build: { type: "boolean", default: true },
    json: { type: "boolean", default: false },
  },
});
const [waiting, seconds, connections] = [values.waiting, values.seconds, values.connections].map(Number) as [
  number,
  number,
  number,
];
const SEATS = 20;
const DAY = "86400";
const run = { seconds, connections };
let call: Call;

await runBenchmark(async (teardown) => {
  // Otherwise the next user to close might still be in line, and no promotion would follow.
  if (connections > SEATS) throw new Error(`--connections is at most ${SEATS}, the number of seats`);
  if (values.build) buildProgram();
  const database = await openBenchDatabase(teardown);
  const service = await startService(
    database.url,
    {
      QUEUE_MAX_ACTIVE: String(SEATS),
      QUEUE_MAX_WAITING: "1000000",
      QUEUE_SESSION_TIMEOUT_SECONDS: DAY,
      QUEUE_WAITER_TIMEOUT_SECONDS: DAY,
      QUEUE_CLAIM_SECONDS: DAY,
      LOG_LEVEL: "error",
    },
    teardown,
  );
  call = openCalls(`${service.url}/api/v1/session`, connections, teardown);

  show(`${SEATS} seated, ${waiting} waiting …`);
  await database.sql`SELECT count(take_place('u' || n, 's', 0)) FROM generate_series(0, ${SEATS + waiting - 1}::int) n`;
  await database.sql`VACUUM ANALYZE waiting_room_places, waiting_room`;

  show(`position calls, ${seconds} s …`);
  const polls = await load(run, () => call("GET", `/position/u${SEATS + Math.floor(Math.random() * waiting)}`));
  show(`creates at the end of the line, and leaving again, ${seconds} s …`);
  const { creates, leaves } = await createAndLeave();
  show(`closes, each of which promotes the next, ${seconds} s …`);
  let next = 0;
  const closes = await load(run, () => call("DELETE", `/close/u${next++}`));
  const [moved] =
    await database.sql`SELECT count(*)::int AS promotions FROM waiting_room_moves WHERE move = 'promoted'`;
  clear();

  const result = {
    waiting,
    connections,
    positions_per_second: polls.perSecond,
    position_p99_ms: polls.p99Ms,
    creates_per_second: creates.perSecond,
    create_p99_ms: creates.p99Ms,
    leaves_per_second: leaves.perSecond,
    promotions_per_second: round(moved?.promotions / closes.seconds),
    close_p99_ms: closes.p99Ms,
    closes: closes.calls,
    promotions: moved?.promotions,
    waiting_afterwards: waiting - moved?.promotions,
  };
  if (values.json) console.log(JSON.stringify(result));
  else for (const [name, value] of Object.entries(result)) console.log(`${name.padEnd(24)} ${value}`);
});

/** In rounds of a twentieth of the line, so that its length stays about the same. */
async function createAndLeave(): Promise<{ creates: Load; leaves: Load }> {
  const size = Math.max(connections, Math.floor(waiting / 20));
  const [creates, leaves]: [number[], number[]] = [[], []];
  const spent = { creating: 0, leaving: 0 };
  for (let round = 0; spent.creating < seconds; round++) {
    const users = Array.from({ length: size }, (_, n) => `new-${round}-${n}`);
    spent.creating += await each(users, creates, (user) => call("POST", "/create", { user_id: user, session_id: "s" }));
    spent.leaving += await each(users, leaves, (user) => call("DELETE", `/close/${user}`));
  }
  return { creates: describeCalls(creates, spent.creating), leaves: describeCalls(leaves, spent.leaving) };
}

/** Makes one call for each, over all connections. Returns the seconds taken; adds each call's milliseconds. */
async function each(users: string[], took: number[], send: (user: string) => Promise<Answer>): Promise<number> {
  const rest = [...users];
  const began = performance.now();
  await Promise.all(
    Array.from({ length: connections }, async () => {
      for (let user = rest.pop(); user !== undefined; user = rest.pop()) took.push((await send(user)).ms);
    }),
  );
  return (performance.now() - began) / 1000;
}
