/** What holds where somebody has to wait for what another holds: who may be kept waiting by it, and for how long. */
import { setTimeout as sleep } from "node:timers/promises";
import { beatSessionRows, lookAtSessions } from "../../../../src/sessions/device/sql.ts";
import { newId, type Probe, type Subject } from "./probes.ts";

const readLive = async (on: Subject, keyId: number): Promise<string[]> => {
  const rows = await on.db.sql`SELECT session_id FROM active_sessions WHERE key_id = ${keyId}`;
  return rows.map((row) => row.session_id);
};

export const WAITING_PROBES: Probe[] = [
  {
    guarantee: "G4 an end comes after the start with its id that is under way",
    async check(on) {
      const { key, id } = await on.db.makeKey();
      const session_id = newId();
      const release = await on.db.holdRow("keys", id);
      const starting = on.start(key, { session_id });
      await sleep(200);
      const ending = on.end(session_id);
      await sleep(200);
      await release();
      await Promise.all([starting, ending]);
      on.expect("live sessions", await readLive(on, id), []);
    },
  },
  {
    guarantee: "G8 nobody's heartbeat waits for the history, and nobody is told what cannot be written into it",
    async check(on) {
      const [held, silent] = [await on.hold(), await on.hold()];
      await on.db.age(silent.id, 61);
      const { database } = on.next();
      const release = await on.db.lockTable("session_history", "SHARE");
      const takeover = on.start(held.key).catch(() => {});
      await sleep(300);
      const { beaten } = await beatSessionRows(database, [held.session, silent.session]);
      on.expect("beaten", beaten?.split(" ")[0], held.session);
      const [row] = await lookAtSessions(database, [silent.session], true);
      on.expect("the silent one meanwhile", row?.outcome, "locked");
      await release();
      await takeover;
      on.expect("the silent one afterwards", await on.beat(silent.session), "expired");
    },
  },
  {
    guarantee: "G8 no start has an effect after its caller is gone, however many locks it waited for",
    async check(on) {
      const { key, id, session } = await on.hold();
      const releaseKey = await on.db.holdRow("keys", id);
      const releaseSession = await on.db.holdRow("active_sessions", id);
      const start = on.db.sql`
        SELECT outcome FROM start_session(
          caller_waits(600, ${on.db.hashKey(key)}::bytea), 'x…', ${newId()}, NULL, false, NULL, 0)`;
      const given = start.then(
        () => "carried out",
        (error) => error.code,
      );
      await sleep(400);
      await releaseKey();
      await sleep(400);
      await releaseSession();
      on.expect("the start", await given, "55P03");
      on.expect("live sessions", await readLive(on, id), [session]);
    },
  },
];
