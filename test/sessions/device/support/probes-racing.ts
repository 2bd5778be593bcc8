/** What holds when callers come at the same time, and when one has to wait for another. */
import { setTimeout as sleep } from "node:timers/promises";
import { revokeKeyRow } from "../../../../src/keys/sql.ts";
import { signOut } from "../../../../src/sessions/device/sign-out.ts";
import { beatSessionRows } from "../../../../src/sessions/device/sql.ts";
import { findChainFaults, type Link } from "./chain.ts";
import { tryLease } from "./leases.ts";
import { type Held, newId, type Probe, type Subject } from "./probes.ts";

const OPERATOR = { who: "a probe", from: null };

const times = <T>(count: number, make: (i: number) => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: count }, (_, i) => make(i)));

const readLive = async (on: Subject, keyId: number): Promise<string[]> => {
  const rows = await on.db.sql`SELECT session_id FROM active_sessions WHERE key_id = ${keyId}`;
  return rows.map((row) => row.session_id);
};

/** So many starts of one fresh key at once. */
async function raceStarts(on: Subject, count: number): Promise<void> {
  const { key, id } = await on.db.makeKey();
  const answers = await times(count, () => on.start(key, { session_id: newId() }));
  const links = answers.flatMap((answer): Link[] => (answer.reply ? [answer.reply] : []));
  on.expect("answers", links.length, count);
  on.expect("the chain of takeovers", findChainFaults(links), []);
  const last = links.toSorted((a, b) => a.generation - b.generation).at(-1);
  on.expect("live sessions", await readLive(on, id), [last?.session_id]);
}

export const RACING_PROBES: Probe[] = [
  {
    guarantee: "G1 simultaneous starts of one key form one chain and leave one live session",
    async check(on) {
      await raceStarts(on, 20);
      await times(4, () => raceStarts(on, 5));
    },
  },
  {
    guarantee: "G4 simultaneous retries are one session, and of one id on two keys one wins",
    async check(on) {
      const { key } = await on.db.makeKey();
      const session_id = newId();
      const retries = await times(8, () => on.start(key, { session_id }));
      on.expect("retries", retries.map(({ is }) => is).sort(), [...Array(7).fill("resumed"), "started"]);
      await times(4, async () => {
        const keys = [await on.db.makeKey(), await on.db.makeKey()];
        const shared = newId();
        const both = await Promise.all(keys.map((one) => on.start(one.key, { session_id: shared })));
        on.expect("one id on two keys", both.map(({ is }) => is).sort(), ["session_id_used", "started"]);
      });
    },
  },
  {
    guarantee: "G3 an end that races with a takeover ends its own session or nothing",
    async check(on) {
      await times(6, async () => {
        const { key, id, session } = await on.hold();
        const successor = newId();
        const [ended, takeover] = await Promise.all([on.end(session), on.start(key, { session_id: successor })]);
        on.expect("one of the two ended it", takeover.reply?.previous_session_terminated, !ended);
        on.expect("the successor's heartbeat", await on.beat(successor), "live");
        const rows = await on.db.sql`SELECT reason FROM session_history WHERE key_id = ${id}`;
        on.expect(
          "in the history",
          [...rows].map((row) => row.reason),
          [ended ? "ended" : "replaced"],
        );
      });
    },
  },
  {
    guarantee: "G3 no session of a key is live once its revocation has committed",
    async check(on) {
      await times(3, async () => {
        const { key, id } = await on.hold();
        const startUntilRefused = async () => {
          for (let starts = 0; starts < 1000; starts++) if ((await on.start(key)).is !== "started") return;
        };
        const devices = times(2, startUntilRefused);
        await Promise.all([devices, revokeKeyRow(on.next().database, id, null, OPERATOR)]);
        on.expect("live sessions", await readLive(on, id), []);
        on.expect("a start", (await on.start(key)).is, "key_revoked");
      });
    },
  },
  {
    guarantee: "G3 who waited behind a lock past the deadline revives nothing",
    async check(on) {
      for (let tries = 0; tries < 5; tries++) if (await outwaitDeadline(on)) return;
      on.expect("the machine was steady enough to try it", false, true);
    },
  },
  {
    guarantee: "one session that is held up holds up nobody else's heartbeat",
    async check(on) {
      const [held, free] = [await on.hold(), await on.hold()];
      const call = await whileLocked(on, [held], async () => {
        const begun = watch(() => beatSessionRows(on.next().database, [held.session, free.session]));
        await settleOrWait(on, [begun]);
        on.expect("it is answered at once", begun.settled, true);
        return begun;
      });
      const { beaten } = (await call.result) as { beaten: string | null };
      on.expect("who was beaten", beaten, `${free.session} ${free.generation}`);
    },
  },
];

/** Just before the deadline somebody locks the rows, lets them go just after it, and changes nothing. */
async function outwaitDeadline(on: Subject): Promise<boolean> {
  const all = await times(6, () => on.hold());
  const [beaten, ended, started, revoked, leased, signedOut] = all as [Held, Held, Held, Held, Held, Held];
  for (const { id } of all) await on.db.age(id, 59.4);
  const { calls, inTime } = await whileLocked(on, all, async () => {
    const calls = [
      watch(() => beatSessionRows(on.next().database, [beaten.session])),
      watch(() => on.end(ended.session)),
      watch(() => on.start(started.key, { session_id: started.session })),
      watch(async () => (await revokeKeyRow(on.next().database, revoked.id, null, OPERATOR)).sessionRevoked),
      watch(async () => (await tryLease(on.next(), leased.session, 600)).is),
      watch(() => signOut(on.next(), { access_key: signedOut.key, expected_generation: signedOut.generation })),
    ];
    await settleOrWait(on, calls);
    const inTime = (await secondsToDeadline(on, all)).every((seconds) => seconds > 0);
    // Whoever got through the lock may have given itself another minute.
    for (let left = 1; inTime && left > -0.02 && left <= 1; ) {
      await sleep(10);
      left = Math.max(...(await secondsToDeadline(on, all)));
    }
    return { calls, inTime };
  });
  const [beat, end, start, revoke, lease, signedOff] = await Promise.all(calls.map((call) => call.result));
  if (!inTime) return false;
  on.expect("heartbeat", (beat as { beaten: string | null }).beaten, null);
  on.expect("a later heartbeat", await on.beat(beaten.session), "expired");
  on.expect("end", end, false);
  on.expect("retry of a start", (start as { is: string }).is, "session_id_used");
  on.expect("a live session was revoked", revoke, false);
  on.expect("lease", lease, "expired");
  on.expect("sign-out", signedOff, false);
  return true;
}

/** Holds the rows' locks while `act` runs. */
async function whileLocked<T>(on: Subject, held: Held[], act: () => Promise<T>): Promise<T> {
  const ids = held.map(({ id }) => id).join(",");
  return (await on.db.sql.begin(async (sql) => {
    await sql`SELECT FROM active_sessions WHERE key_id = ANY (string_to_array(${ids}, ',')::bigint[]) FOR UPDATE`;
    return act();
  })) as T;
}

async function secondsToDeadline(on: Subject, held: Held[]): Promise<number[]> {
  const ids = held.map(({ id }) => id).join(",");
  const rows = await on.db.sql`
    SELECT extract(epoch FROM last_heartbeat - clock_timestamp())::float + 60 AS seconds FROM active_sessions
    WHERE key_id = ANY (string_to_array(${ids}, ',')::bigint[])`;
  return rows.map((row) => row.seconds);
}

interface WatchedCall {
  settled: boolean;
  result: Promise<unknown>;
}

function watch(call: () => Promise<unknown>): WatchedCall {
  const watched: WatchedCall = { settled: false, result: call() };
  const settle = () => {
    watched.settled = true;
  };
  watched.result.then(settle, settle);
  return watched;
}

/** Until each call is answered or waits for a lock. */
async function settleOrWait(on: Subject, calls: readonly WatchedCall[]): Promise<void> {
  for (let tries = 0; tries < 500; tries++) {
    const [row] = await on.db.sql`
      SELECT count(*)::int AS waiting FROM pg_stat_activity
      WHERE datname = current_database() AND wait_event_type = 'Lock'`;
    if (row?.waiting >= calls.filter((call) => !call.settled).length) return;
    await sleep(5);
  }
}
