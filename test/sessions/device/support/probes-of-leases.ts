/** What holds of leases: one row a key, which keeps all others from starting and makes nobody live. */
import { eraseKey, revokeKey } from "../../../../src/keys/index.ts";
import { kickSession, readStatus } from "../../../../src/sessions/device/index.ts";
import { returnLease } from "../../../../src/sessions/device/lease-return.ts";
import { forgetLeaseRows } from "../../../../src/sessions/device/lease-sql.ts";
import { BY } from "../../../support/operator.ts";
import { leaseText, newLeaseId, tryLease } from "./leases.ts";
import { afterSilence, type Held, newId, type Probe, type Subject } from "./probes.ts";

export const lease = (on: Subject, { session }: Pick<Held, "session">, seconds = 600) =>
  tryLease(on.next(), session, seconds);
export const giveBack = (on: Subject, leaseId: string) => returnLease(on.next(), leaseText(leaseId));
const rowsOf = async (on: Subject, { id }: Held) => [...(await on.db.sql`SELECT * FROM leases WHERE key_id = ${id}`)];
/** Its lease ends in so many seconds, or ended. */
const leaseEndsIn = (on: Subject, { id }: Held, seconds: number) => on.db.sql`
  UPDATE leases SET until = clock_timestamp() + make_interval(secs => ${seconds}),
                    issued_at = clock_timestamp() + make_interval(secs => ${seconds - 600}) WHERE key_id = ${id}`;
const statusOf = async (on: Subject, { key }: Held) => {
  const { active, leased_until } = await readStatus(on.next(), { access_key: key });
  return { active, leased: leased_until !== undefined };
};

/** A session that has a lease. */
export async function holdLeased(on: Subject): Promise<Held & { leaseId: string }> {
  const held = await on.hold();
  const { is, leaseId = newLeaseId() } = await lease(on, held);
  on.expect("a lease of a live session", is, "leased");
  return { ...held, leaseId };
}

/** Who may start now, and why not. */
const othersStart = async (on: Subject, { key }: Held) => {
  const { is, reply, ...refused } = await on.start(key, { session_id: newId() });
  return !reply && "leasedUntil" in refused && refused.leasedUntil !== undefined ? `${is}, leased` : is;
};

const LEASED = "key_in_use, leased";

export const PROBES_OF_LEASES: Probe[] = [
  {
    guarantee: "G1 a lease keeps all others from starting, and makes nobody live",
    async check(on) {
      const held = await holdLeased(on);
      on.expect("another start", await othersStart(on, held), LEASED);
      const { is } = await on.start(held.key, { session_id: newId(), lease: leaseText(newLeaseId()) });
      on.expect("with a made-up lease", is, "key_in_use");
      on.expect("the session's own start", (await on.start(held.key, { session_id: held.session })).is, "resumed");
      on.expect("the status", await statusOf(on, held), { active: true, leased: true });
      await on.db.age(held.id, 61);
      on.expect("another start, offline", await othersStart(on, held), LEASED);
      on.expect("after 61 s", await on.beat(held.session), "expired");
      on.expect("the status, offline", await statusOf(on, held), { active: false, leased: true });
      on.expect("the lease", (await rowsOf(on, held)).length, 1);
    },
  },
  {
    guarantee: "G2 its device comes back by its lease, once: a new session of a higher generation",
    async check(on) {
      for (const silence of [0, 61]) {
        const held = await holdLeased(on);
        await on.db.age(held.id, silence);
        const back = await on.start(held.key, { session_id: newId(), lease: leaseText(held.leaseId) });
        on.expect("the start", back.is, "started");
        on.expect("rises", (back.reply?.generation ?? 0) > held.generation, true);
        on.expect("the lease", await rowsOf(on, held), []);
        on.expect("the next start", await othersStart(on, held), "started");
      }
    },
  },
  {
    guarantee: "a lease asked for again is the same, is no sign of life, and is one again only when it is over",
    async check(on) {
      const held = await holdLeased(on);
      const before = await rowsOf(on, held);
      await on.db.age(held.id, 59);
      on.expect("again", (await lease(on, held, 3600)).leaseId, held.leaseId);
      on.expect("its row", await rowsOf(on, held), before);
      await leaseEndsIn(on, held, -1);
      const anew = await lease(on, held);
      on.expect("after its end", [anew.is, anew.leaseId === held.leaseId], ["leased", false]);
      await on.db.age(held.id, 2);
      on.expect("after 61 s", await on.beat(held.session), "expired");
    },
  },
  {
    guarantee: "G5 only a live session has a lease, of a good key, and none outlasts the key",
    async check(on) {
      const silent = await on.hold();
      await on.db.age(silent.id, 61);
      on.expect("after 61 s", (await lease(on, silent)).is, "expired");
      on.expect("its row", await rowsOf(on, silent), []);
      await afterSilence(on, 59, async (held) => on.expect("after 59 s", (await lease(on, held)).is, "leased"));
      on.expect("of nobody", (await lease(on, { session: newId() })).is, "unknown");
      const held = await on.hold();
      await on.db.sql`UPDATE keys SET expires_at = clock_timestamp() + interval '5 minutes' WHERE id = ${held.id}`;
      on.expect("with the key", (await lease(on, held)).is, "leased");
      const [row] = await on.db.sql`
        SELECT l.until = k.expires_at AS same FROM leases l JOIN keys k ON k.id = l.key_id WHERE k.id = ${held.id}`;
      on.expect("ends with it", row?.same, true);
      const late = await on.hold();
      await on.db.sql`UPDATE keys SET expires_at = clock_timestamp() WHERE id = ${late.id}`;
      on.expect("of an expired key", (await lease(on, late)).is, "lease_unavailable");
    },
  },
  {
    guarantee: "G5 a lease holds until its last second and no longer, cleanup or not",
    async check(on) {
      const held = await holdLeased(on);
      await leaseEndsIn(on, held, 30);
      on.expect("before", await othersStart(on, held), LEASED);
      await leaseEndsIn(on, held, -0.001);
      on.expect("the status after", await statusOf(on, held), { active: true, leased: false });
      on.expect("given back after", await giveBack(on, held.leaseId), false);
      const over = await holdLeased(on);
      await leaseEndsIn(on, over, -0.001);
      on.expect("a start after", await othersStart(on, over), "started");
      const kicked = await holdLeased(on);
      await on.db.age(kicked.id, 61);
      await leaseEndsIn(on, kicked, -0.001);
      const kick = { keyId: kicked.id, generation: null, note: null };
      on.expect("a kick after", await kickSession(on.next().database, kick, BY), false);
    },
  },
  {
    guarantee: "a lease given back is over, once, and no other with it",
    async check(on) {
      const [held, other] = [await holdLeased(on), await holdLeased(on)];
      on.expect("given back", await giveBack(on, held.leaseId), true);
      on.expect("again", await giveBack(on, held.leaseId), false);
      on.expect("one that never was", await giveBack(on, newLeaseId()), false);
      on.expect("a start", await othersStart(on, held), "started");
      on.expect("of the other key", await othersStart(on, other), LEASED);
    },
  },
  {
    guarantee: "a kick, a revocation and an erasure free a key of its lease; an end does not, and nor does a late kick",
    async check(on) {
      const [ended, kicked, revoked, erased] = [
        await holdLeased(on),
        await holdLeased(on),
        await holdLeased(on),
        await holdLeased(on),
      ];
      on.expect("an end", await on.end(ended.session), true);
      on.expect("a start after an end", await othersStart(on, ended), LEASED);
      await on.db.age(kicked.id, 61);
      const { database } = on.next();
      const kick = { keyId: kicked.id, generation: kicked.generation - 1, note: null };
      on.expect("a kick of another", await kickSession(database, kick, BY), false);
      on.expect("a start after that", await othersStart(on, kicked), LEASED);
      on.expect("a kick", await kickSession(database, { ...kick, generation: kicked.generation }, BY), true);
      on.expect("a start after a kick", await othersStart(on, kicked), "started");
      await revokeKey(database, { id: revoked.id, note: null }, BY);
      await eraseKey(database, erased.id, BY);
      on.expect("rows", [...(await rowsOf(on, revoked)), ...(await rowsOf(on, erased))], []);
    },
  },
  {
    guarantee: "the cleanup takes leases that are over, and only these",
    async check(on) {
      const [over, holds] = [await holdLeased(on), await holdLeased(on)];
      await leaseEndsIn(on, over, -1);
      await on.db.sql`UPDATE service_state SET confirmed_at = clock_timestamp(), last_tick = clock_timestamp()`;
      await forgetLeaseRows(on.next().database);
      on.expect("rows", [(await rowsOf(on, over)).length, (await rowsOf(on, holds)).length], [0, 1]);
    },
  },
  {
    guarantee: "a lease given while the clock was ahead holds for its own length and no longer",
    async check(on) {
      const held = await holdLeased(on);
      await on.db.sql`UPDATE leases SET issued_at = issued_at + interval '1 year', until = until + interval '1 year'
                      WHERE key_id = ${held.id}`;
      await on.db.sql`SELECT redate_leases(clock_timestamp())`;
      const [row] = await on.db.sql`
        SELECT until - issued_at AS length, issued_at <= clock_timestamp() AS given FROM leases WHERE key_id = ${held.id}`;
      on.expect("its row", [row?.length, row?.given], ["00:10:00", true]);
    },
  },
];
