/** What holds where one caller comes after the other. */
import { revokeKey } from "../../../../src/keys/index.ts";
import { beatSession, expireSessions, kickSession, readStatus } from "../../../../src/sessions/device/index.ts";
import { lookAtSessions } from "../../../../src/sessions/device/sql.ts";
import { jumpClock, serveFor } from "../../../support/clock.ts";
import { BY, kickByPrefix } from "../../../support/operator.ts";
import { maskSessionId } from "./chain.ts";
import { afterSilence, type Held, newId, type Probe, type Subject } from "./probes.ts";

const LAPTOP = { name: "Laptop" };

const revoke = (on: Subject, held: Held) => revokeKey(on.next().database, { id: held.id, note: null }, BY);
const cleanUp = (on: Subject) => expireSessions(on.next().database, Number.POSITIVE_INFINITY);
const look = async (on: Subject, session: string) =>
  (await lookAtSessions(on.next().database, [session], true))[0]?.outcome;

/** The ways in which a session ends, by their reasons. */
const ENDINGS: Record<string, Array<(on: Subject, held: Held) => Promise<unknown>>> = {
  replaced: [(on, { key }) => on.start(key, { session_id: newId(), device: LAPTOP })],
  expired: [(on, { id }) => on.db.age(id, 61), (on, { id }) => on.db.age(id, 61).then(() => cleanUp(on))],
  ended: [(on, { session }) => on.end(session)],
  revoked: [(on, { session }) => kickByPrefix(on.next().database, session), revoke],
};

/** Every verb, and what it says of a session that is live and of one that is silent for too long. */
const VERBS: Array<
  [verb: string, call: (on: Subject, held: Held) => Promise<unknown>, live: unknown, silent: unknown]
> = [
  ["heartbeat", (on, { session }) => on.beat(session), "live", "expired"],
  ["end", (on, { session }) => on.end(session), true, false],
  ["watch", (on, { session }) => look(on, session), "live", "expired"],
  ["status", (on, { key, session }) => on.holds(key, session), true, false],
  [
    "retry",
    async (on, { key, session }) => (await on.start(key, { session_id: session })).is,
    "resumed",
    "session_id_used",
  ],
  [
    "refusing start",
    async (on, { key }) => (await on.start(key, { on_conflict: "refuse" })).is,
    "key_in_use",
    "started",
  ],
  ["start", async (on, { key }) => (await on.start(key)).reply?.previous_session_terminated, true, false],
  ["kick", (on, { session }) => kickByPrefix(on.next().database, session), "kicked", "unknown"],
  ["revoke", async (on, held) => (await revoke(on, held))?.sessionRevoked, true, false],
  [
    "cleanup",
    async (on, { id }) => {
      await cleanUp(on);
      return (await on.db.sql`SELECT FROM active_sessions WHERE key_id = ${id}`).length;
    },
    1,
    0,
  ],
];

export const CALM_PROBES: Probe[] = [
  {
    guarantee: "G5 every verb applies the timeout of 60 seconds itself",
    async check(on) {
      for (const [verb, call, live, silent] of VERBS) {
        for (const seconds of [0, 59, 61]) {
          const said = await afterSilence(on, seconds, (held) => call(on, held));
          on.expect(`${verb} after ${seconds} s of silence`, said, seconds < 60 ? live : silent);
        }
      }
    },
  },
  {
    guarantee: "G3 an ending is final, has one reason, and is in the history once",
    async check(on) {
      for (const [reason, ways] of Object.entries(ENDINGS)) {
        for (const end of ways) {
          const held = await on.hold();
          await end(on, held);
          on.expect("a heartbeat after it ended", await on.beat(held.session), reason);
          on.expect(`an end after it was ${reason}`, await on.end(held.session), false);
          const { is } = await on.start(held.key, { session_id: held.session });
          if (is !== "key_revoked") on.expect(`a start with its id after it was ${reason}`, is, "session_id_used");
          await cleanUp(on);
          on.expect("a heartbeat later on", await on.beat(held.session), reason);
          on.expect(`the key is held after it was ${reason}`, await on.holds(held.key, held.session), false);
          const rows = await on.db.sql`SELECT reason FROM session_history WHERE session_id = ${held.session}`;
          on.expect(
            "reasons in the history",
            [...rows].map((row) => row.reason),
            [reason],
          );
        }
      }
    },
  },
  {
    guarantee: "G3 the replaced device learns when and by whom, and harms its successor in no way",
    async check(on) {
      const held = await on.hold();
      const successor = newId();
      const { reply } = await on.start(held.key, { session_id: successor, device: LAPTOP });
      const beat = await beatSession(on.next(), held.session);
      const by = { started_at: reply?.started_at, device: LAPTOP };
      const due = { reason: "replaced", data: { ended_at: reply?.started_at, replaced_by: by } };
      on.expect("what it is told", beat.live ? "live" : beat.ending, due);
      await on.end(held.session);
      const lateKick = { keyId: held.id, generation: held.generation, note: null };
      await kickSession(on.next().database, lateKick, BY);
      on.expect("the successor's heartbeat", await on.beat(successor), "live");
      on.expect("the successor holds the key", await on.holds(held.key, successor), true);
    },
  },
  {
    guarantee: "G2 generations rise through every ending, a restored backup and a clock that went back",
    async check(on) {
      const { key, id, session, generation } = await on.hold();
      let [last, current] = [generation, session];
      const ahead = 4_000_000_000_000_000;
      const meanwhile: Record<string, () => Promise<unknown>> = {
        "a takeover": async () => {},
        "an end": () => on.end(current),
        "an expiry": () => on.db.age(id, 61),
        "a cleanup": () => on.db.age(id, 61).then(() => cleanUp(on)),
        "a kick": () => kickByPrefix(on.next().database, current),
        "a restored backup": () =>
          on.db.sql`WITH gone AS (DELETE FROM active_sessions WHERE key_id = ${id})
                    UPDATE keys SET generation = 0 WHERE id = ${id}`,
        "a clock that went back": () => on.db.sql`UPDATE keys SET generation = ${ahead} WHERE id = ${id}`,
        "another start after that": async () => {},
      };
      for (const [what, happen] of Object.entries(meanwhile)) {
        await happen();
        current = newId();
        const next = (await on.start(key, { session_id: current })).reply?.generation ?? 0;
        on.expect(`after ${what} it rises`, next > last && Number.isSafeInteger(next), true);
        last = next;
      }
      on.expect("the clock that went back counts", last, ahead + 2);
    },
  },
  {
    guarantee: "G4 a retry gives the same session back and is a sign of life",
    async check(on) {
      const { key, id, session, generation } = await on.hold();
      await on.db.age(id, 40);
      const retry = await on.start(key, { session_id: session, on_conflict: "refuse", expected_generation: 1 });
      on.expect(
        "retry",
        [retry.is, retry.reply?.generation, retry.reply?.previous_session],
        ["resumed", generation, null],
      );
      await on.db.age(id, 40);
      on.expect("a heartbeat after two silences with a retry between", await on.beat(session), "live");
    },
  },
  {
    guarantee: "G5 to watch a session or to ask who holds the key is no sign of life",
    async check(on) {
      const { key, id, session } = await on.hold();
      await on.db.age(id, 40);
      on.expect("looks", [await look(on, session), await on.holds(key, session)], ["live", true]);
      await on.db.age(id, 40);
      on.expect("a heartbeat after two silences with looks between", await on.beat(session), "expired");
    },
  },
  {
    guarantee: "G6 our own outage expires nobody who was live when it began, and saves nobody else",
    async check(on) {
      const [live, silent] = [await on.hold(), await on.hold()];
      await on.db.age(live.id, 80);
      await on.db.age(silent.id, 120);
      await on.db.sql`UPDATE service_state SET last_tick = clock_timestamp() - interval '30 seconds'`;
      const said = [await on.beat(live.session), await on.beat(silent.session)];
      await on.db.sql`UPDATE service_state SET last_tick = NULL`;
      on.expect("heartbeats after an outage of 30 s", said, ["live", "expired"]);
    },
  },
  {
    guarantee: "G6 gaps in a row are forgiven each, and keep nobody for longer than three timeouts of service",
    async check(on) {
      const [live, silent] = [await on.hold(), await on.hold()];
      await on.db.age(live.id, 200);
      await on.db.age(silent.id, 430);
      // Up for 3 s and away for 4 s, again and again; the last time for longer.
      const gaps = (count: number) =>
        Array.from(
          { length: count },
          (_, n) => `tstzrange(now() - '${7 * n + 5} s'::interval, now() - '${7 * n + 1} s'::interval)`,
        );
      const set = (ranges: string[]) =>
        on.db.sql.unsafe(`
        UPDATE service_state SET last_tick = clock_timestamp(), gaps = tstzmultirange(${ranges.join()}),
          gap_began = now() - interval '5 seconds', gap_ended = now() - interval '1 second'`);
      await set(gaps(62));
      const said = [await on.beat(live.session), await on.beat(silent.session)];
      await on.db.sql`UPDATE service_state SET last_tick = NULL, gaps = '{}', gap_began = NULL, gap_ended = NULL`;
      on.expect("heartbeats after 62 gaps", said, ["live", "expired"]);
    },
  },
  {
    guarantee: "G6 a clock that goes back expires nobody who is live, brings nobody back and keeps nobody for longer",
    async check(on) {
      const [live, silent, dead] = [await on.hold(), await on.hold(), await on.hold()];
      await on.db.age(silent.id, 30);
      await on.db.age(dead.id, 110);
      await on.db.sql`
        UPDATE service_state SET last_tick = clock_timestamp(), gap_began = clock_timestamp() - interval '40 seconds',
          gap_ended = clock_timestamp() - interval '20 seconds'`;
      await jumpClock(on.db, -3600);
      const said = [await on.beat(live.session), await on.beat(live.session)];
      await on.db.sql`SELECT serve_tick(NULL)`;
      said.push(await on.beat(live.session), await on.beat(dead.session));
      on.expect("heartbeats after the jump", said, ["live", "live", "live", "expired"]);
      on.expect("the silent one after the jump", await on.holds(silent.key, silent.session), true);
      await serveFor(on.db, 61);
      on.expect("the silent one a timeout later", await on.holds(silent.key, silent.session), false);
      await on.db.sql`UPDATE service_state SET last_tick = NULL, gaps = '{}', gap_began = NULL, gap_ended = NULL`;
    },
  },
  {
    guarantee: "G4 an id that was used before starts nothing, on whatever key, and ends nobody",
    async check(on) {
      const [one, other] = [await on.hold(), await on.hold()];
      const successor = newId();
      await on.start(one.key, { session_id: successor });
      on.expect("another key's id", (await on.start(one.key, { session_id: other.session })).is, "session_id_used");
      on.expect("its own old id", (await on.start(one.key, { session_id: one.session })).is, "session_id_used");
      on.expect("its old id elsewhere", (await on.start(other.key, { session_id: one.session })).is, "session_id_used");
      on.expect("both holders", [await on.beat(successor), await on.beat(other.session)], ["live", "live"]);
    },
  },
  {
    guarantee: "a start ends the holder only if the caller lets it",
    async check(on) {
      const { key, session, generation } = await on.hold();
      const refused = await on.start(key, { on_conflict: "refuse" });
      on.expect("refuse", [refused.is, "holder" in refused && refused.holder?.generation], ["key_in_use", generation]);
      const outdated = await on.start(key, { expected_generation: generation - 1 });
      on.expect("an outdated expected_generation", outdated.is, "holder_changed");
      on.expect("the holder's heartbeat", await on.beat(session), "live");
      on.expect("the right one", (await on.start(key, { expected_generation: generation })).is, "started");
      const free = await on.hold();
      await on.end(free.session);
      on.expect("any where nobody is live", (await on.start(free.key, { expected_generation: 1 })).is, "started");
    },
  },
  {
    guarantee: "only a good key starts a session",
    async check(on) {
      const [expired, revoked] = [await on.db.makeKey({ expires: "2020-01-01" }), await on.hold()];
      await revoke(on, revoked);
      const said = [
        (await on.start("no such key")).is,
        (await on.start(expired.key)).is,
        (await on.start(revoked.key)).is,
      ];
      on.expect("starts", said, ["invalid_key", "key_expired", "key_revoked"]);
    },
  },
  {
    guarantee: "nobody learns another device's session id",
    async check(on) {
      const { key, session } = await on.hold();
      const status = await readStatus(on.next(), { access_key: key });
      on.expect("status", status.active && status.session.session_id, maskSessionId(session));
      const takeover = await on.start(key);
      on.expect("previous_session", takeover.reply?.previous_session?.session_id, maskSessionId(session));
    },
  },
  {
    guarantee: "G5 what an answer says of time is the database's",
    async check(on) {
      const now = async () => (await on.db.sql`SELECT date_trunc('milliseconds', clock_timestamp()) AS at`)[0]?.at;
      const { key } = await on.db.makeKey();
      const session_id = newId();
      const times: string[] = [(await now()).toISOString()];
      const started = await on.start(key, { session_id });
      times.push(started.reply?.started_at ?? "", (await now()).toISOString());
      const beat = await beatSession(on.next(), session_id);
      times.push(beat.live ? beat.reply.server_time : "", (await now()).toISOString());
      on.expect("the clock before a start, at it, after it, at a heartbeat, after it", times, times.toSorted());
    },
  },
];
