/** What holds of leases, and of what a key's owner does with the key alone. */
import { revokeKey } from "../../../../src/keys/index.ts";
import { kickSession } from "../../../../src/sessions/device/index.ts";
import { returnLease } from "../../../../src/sessions/device/lease-return.ts";
import { forgetLeaseRows } from "../../../../src/sessions/device/lease-sql.ts";
import { signOutRow } from "../../../../src/sessions/device/owner-sql.ts";
import { readStatus } from "../../../../src/sessions/device/status.ts";
import { BY } from "../../../support/operator.ts";
import { newLeaseId } from "../../../support/secrets.ts";
import { leaseText, tryLease } from "./leases.ts";
import { type Held, newId, type Probe, type Subject } from "./probes.ts";

const HOUR = 3600;
const NOTHING = { sessionEnded: false, leaseFreed: false };

const lease = (on: Subject, { session }: Held, seconds = HOUR) => tryLease(on.next(), session, seconds);
const kick = (on: Subject, { id }: Held, generation: number | null = null) =>
  kickSession(on.next().database, { keyId: id, generation, note: null }, BY);
const giveBack = (on: Subject, leaseId: string) => returnLease(on.next(), leaseText(leaseId));
const start = async (on: Subject, { key }: Held, more: Parameters<Subject["start"]>[1] = {}) =>
  (await on.start(key, { session_id: newId(), ...more })).is;
const leasesOf = async (on: Subject, { id }: Held) => {
  const rows = await on.db.sql`SELECT lease_id FROM leases WHERE key_id = ${id}`;
  return rows.map((row) => row.lease_id as string);
};
const signOut = async (on: Subject, { key }: Held, expectedGeneration: number) => {
  const { database, hashKey } = on.next();
  const order = { hash: hashKey(key), expectedGeneration, note: "x", endingsMax: 0 };
  return (await signOutRow(database, order, Number.POSITIVE_INFINITY)).outcome;
};
/** So many seconds pass for a lease. */
const age = (on: Subject, { id }: Held, seconds: number) => on.db.sql`
  UPDATE leases SET until = until - make_interval(secs => ${seconds}), issued_at = issued_at - make_interval(secs => ${seconds})
  WHERE key_id = ${id}`;
const leaseOf = async (on: Subject, held: Held, seconds = HOUR) => {
  const { is, leaseId } = await lease(on, held, seconds);
  on.expect("a live session that asks", is, "leased");
  return leaseId ?? newLeaseId();
};

export const PROBES_OF_OWNERS: Probe[] = [
  {
    guarantee: "a lease keeps all others out until it ends, and makes nobody live",
    async check(on) {
      const held = await on.hold();
      await leaseOf(on, held);
      on.expect("its session's retry", (await on.start(held.key, { session_id: held.session })).is, "resumed");
      on.expect("a start beside the live session", await start(on, held), "key_in_use");
      await on.db.age(held.id, 61);
      for (const on_conflict of ["replace", "refuse"] as const) {
        on.expect(`a ${on_conflict}`, await start(on, held, { on_conflict }), "key_in_use");
      }
      on.expect("a made-up lease", await start(on, held, { lease: leaseText(newLeaseId()) }), "key_in_use");
      on.expect("the session", await on.beat(held.session), "expired");
      const status = await readStatus(on.next(), { access_key: held.key });
      on.expect("the status", [status.active, status.leased_until !== undefined], [false, true]);
      await age(on, held, HOUR - 2);
      on.expect("a start in its last second", await start(on, held), "key_in_use");
      await age(on, held, 3);
      on.expect("a start after its end", await start(on, held), "started");
      const over = await on.hold();
      const overId = await leaseOf(on, over);
      await age(on, over, HOUR + 1);
      on.expect("giving it back after its end", await giveBack(on, overId), false);
    },
  },
  {
    guarantee: "a lease brings its device back once, and is over then",
    async check(on) {
      const held = await on.hold();
      const id = await leaseOf(on, held);
      await on.db.age(held.id, 61);
      const back = await on.start(held.key, { lease: leaseText(id), on_conflict: "refuse", session_id: newId() });
      on.expect("the start with it", back.is, "started");
      on.expect("the generation", (back.reply?.generation ?? 0) > held.generation, true);
      on.expect("leases", await leasesOf(on, held), []);
      on.expect("another start", await start(on, held), "started");
    },
  },
  {
    guarantee: "a lease is given only to a live session, once, and at most until its key expires",
    async check(on) {
      const held = await on.hold();
      const id = await leaseOf(on, held);
      on.expect("asked again", (await lease(on, held, 60)).leaseId, id);
      await on.db.sql`DELETE FROM leases WHERE key_id = ${held.id}`;
      await on.db.sql`UPDATE keys SET expires_at = clock_timestamp() + interval '1 minute' WHERE id = ${held.id}`;
      await leaseOf(on, held);
      const [row] = await on.db.sql`
        SELECT l.until = k.expires_at AS same FROM leases l JOIN keys k ON k.id = l.key_id WHERE k.id = ${held.id}`;
      on.expect("it ends with the key", row?.same, true);
      const silent = await on.hold();
      await on.db.age(silent.id, 61);
      on.expect("a silent one", (await lease(on, silent)).is, "expired");
      on.expect("its leases", await leasesOf(on, silent), []);
      const replaced = await on.hold();
      await on.start(replaced.key, { session_id: newId() });
      on.expect("a replaced one", (await lease(on, replaced)).is, "replaced");
    },
  },
  {
    guarantee: "giving a lease back, a kick and a cleanup end it, and none but it",
    async check(on) {
      const [mine, other] = [await on.hold(), await on.hold()];
      const [id] = [await leaseOf(on, mine), await leaseOf(on, other)];
      for (const held of [mine, other]) await on.db.age(held.id, 61);
      on.expect("given back", await giveBack(on, id), true);
      on.expect("a start then", await start(on, mine), "started");
      on.expect("a start with another key", await start(on, other), "key_in_use");
      on.expect("a kick of another generation", await kick(on, other, other.generation - 1), NOTHING);
      on.expect("leases after it", (await leasesOf(on, other)).length, 1);
      await on.db.sql`UPDATE service_state SET last_tick = clock_timestamp(), confirmed_at = clock_timestamp()`;
      await forgetLeaseRows(on.next().database);
      on.expect("leases after a cleanup", (await leasesOf(on, other)).length, 1);
      on.expect("a kick", await kick(on, other), { sessionEnded: false, leaseFreed: true });
      on.expect("a start after it", await start(on, other), "started");
      const over = await on.hold();
      await leaseOf(on, over, 60);
      await age(on, over, 61);
      await forgetLeaseRows(on.next().database);
      on.expect("one that is over, after a cleanup", await leasesOf(on, over), []);
    },
  },
  {
    guarantee: "a lease and whatever else happens at the same time are one story",
    async check(on) {
      await Promise.all(Array.from({ length: 4 }, () => raceLease(on)));
    },
  },
  {
    guarantee: "a sign-out ends the live session of that generation, and nothing else",
    async check(on) {
      const held = await on.hold();
      on.expect("of another generation", await signOut(on, held, held.generation - 1), "holder_changed");
      on.expect("its heartbeat", await on.beat(held.session), "live");
      on.expect("of this one", await signOut(on, held, held.generation), "signed_out");
      on.expect("its heartbeat then", await on.beat(held.session), "ended");
      on.expect("again", await signOut(on, held, held.generation), "nobody_live");
      const silent = await on.hold();
      await on.db.age(silent.id, 61);
      on.expect("a silent one", await signOut(on, silent, silent.generation), "nobody_live");
      on.expect("how that ended", await on.beat(silent.session), "expired");
      const expired = await on.hold();
      await on.db.sql`UPDATE keys SET expires_at = clock_timestamp() WHERE id = ${expired.id}`;
      on.expect("of an expired key", await signOut(on, expired, expired.generation), "key_expired");
      on.expect("its heartbeat after that", await on.beat(expired.session), "live");
      const leased = await on.hold();
      await leaseOf(on, leased);
      await signOut(on, leased, leased.generation);
      on.expect("the lease of one that was signed out", (await leasesOf(on, leased)).length, 1);
    },
  },
];

async function raceLease(on: Subject): Promise<void> {
  const started = await on.hold();
  const [asked, newcomer] = await Promise.all([lease(on, started), start(on, started)]);
  on.expect(
    "a lease and a start at once",
    [asked.is, newcomer, (await leasesOf(on, started)).length],
    asked.is === "leased" ? ["leased", "key_in_use", 1] : ["replaced", "started", 0],
  );
  const kicked = await on.hold();
  await Promise.all([lease(on, kicked), kick(on, kicked)]);
  on.expect("leases after a kick at once", await leasesOf(on, kicked), []);
  const revoked = await on.hold();
  const by = on.next().database;
  await Promise.all([lease(on, revoked), revokeKey(by, { id: revoked.id, note: null }, BY)]);
  on.expect("leases after a revocation at once", await leasesOf(on, revoked), []);
  const ended = await on.hold();
  const [given] = await Promise.all([lease(on, ended), on.end(ended.session)]);
  on.expect("a lease and an end at once", await leasesOf(on, ended), given.leaseId ? [given.leaseId] : []);
  const twice = await on.hold();
  const ids = await Promise.all([lease(on, twice), lease(on, twice)]);
  on.expect("two leases at once", ids[0]?.leaseId, ids[1]?.leaseId);
  await on.db.age(twice.id, 61);
  const text = leaseText(ids[0]?.leaseId ?? newLeaseId());
  const back = await Promise.all([1, 2].map(() => start(on, twice, { lease: text, on_conflict: "refuse" })));
  on.expect("two starts with one lease", back.sort(), ["key_in_use", "started"]);
}
