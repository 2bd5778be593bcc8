/** More that holds of leases and sign-outs: their clocks, their words, what they leave alone, and who was first. */
import { AppError } from "../../../../src/errors.ts";
import { revokeKey } from "../../../../src/keys/index.ts";
import type { DeviceSessions } from "../../../../src/sessions/device/deps.ts";
import { kickSession, readStatus } from "../../../../src/sessions/device/index.ts";
import { returnLease } from "../../../../src/sessions/device/lease-return.ts";
import { signOut } from "../../../../src/sessions/device/sign-out.ts";
import { BY } from "../../../support/operator.ts";
import { newLeaseId } from "../../../support/secrets.ts";
import { leaseText, tryLease } from "./leases.ts";
import { type Held, newId, type Probe, type Subject } from "./probes.ts";

const ROUNDS = 4;

const lease = (on: Subject, { session }: Held) => tryLease(on.next(), session, 600);
const rowOf = async (on: Subject, { id }: Held) => (await on.db.sql`SELECT * FROM leases WHERE key_id = ${id}`)[0];
const endLease = (on: Subject, { id }: Held) => on.db.sql`
  UPDATE leases SET issued_at = issued_at - interval '1 hour', until = clock_timestamp() - interval '1 ms'
  WHERE key_id = ${id}`;
const liveOf = async (on: Subject, { id }: Held) =>
  (await on.db.sql`SELECT session_id FROM active_sessions WHERE key_id = ${id}`).map((row) => row.session_id as string);

/** A session that has a lease. */
async function holdLeased(on: Subject): Promise<Held & { leaseId: string }> {
  const held = await on.hold();
  const { is, leaseId = newLeaseId() } = await lease(on, held);
  on.expect("a lease of a live session", is, "leased");
  return { ...held, leaseId };
}

/** `signed out`, `nobody live`, or the code of a refusal. */
async function trySignOut(
  on: Subject,
  { key, generation }: Pick<Held, "key" | "generation">,
  more: Partial<DeviceSessions> = {},
) {
  try {
    const request = { access_key: key, expected_generation: generation };
    return (await signOut({ ...on.next(), ...more }, request)) ? "signed out" : "nobody live";
  } catch (error) {
    if (!(error instanceof AppError) || error.code === "unavailable") throw error;
    return error.code;
  }
}

async function rounds(race: () => Promise<void>): Promise<void> {
  for (let round = 0; round < ROUNDS; round++) await race();
}

export const PROBES_OF_LEASES: Probe[] = [
  {
    guarantee: "a lease is no sign of life, stays when its session resumes, and is said to whoever it keeps out",
    async check(on) {
      const held = await holdLeased(on);
      on.expect("its own start", (await on.start(held.key, { session_id: held.session })).is, "resumed");
      await on.db.age(held.id, 59);
      const before = await rowOf(on, held);
      on.expect("again", (await lease(on, held)).leaseId, held.leaseId);
      on.expect("its row", [before?.lease_id, await rowOf(on, held)], [held.leaseId, before]);
      await on.db.age(held.id, 2);
      on.expect("after 61 s", await on.beat(held.session), "expired");
      const refused = await on.start(held.key, { session_id: newId() });
      on.expect("who is kept out", refused.is, "key_in_use");
      const until = before?.until as Date | undefined;
      on.expect("until when", !refused.reply && refused.leasedUntil, until?.toISOString());
    },
  },
  {
    guarantee: "G5 a lease that is over is shown by no status, freed by no kick, and given to nobody",
    async check(on) {
      const held = await holdLeased(on);
      await endLease(on, held);
      const { leased_until } = await readStatus(on.next(), { access_key: held.key });
      on.expect("the status", leased_until, undefined);
      const anew = await lease(on, held);
      on.expect("asked for again", [anew.is, anew.leaseId === held.leaseId], ["leased", false]);
      await endLease(on, held);
      await on.end(held.session);
      const kick = { keyId: held.id, generation: null, note: null };
      const done = await kickSession(on.next().database, kick, BY);
      on.expect("a kick", done, { sessionEnded: false, leaseFreed: false });
      const late = await on.hold();
      await on.db.sql`UPDATE keys SET expires_at = clock_timestamp() WHERE id = ${late.id}`;
      on.expect("of an expired key", (await lease(on, late)).is, "lease_unavailable");
    },
  },
  {
    guarantee: "a lease given while the clock was ahead holds for its own length and no longer",
    async check(on) {
      const held = await holdLeased(on);
      await on.db.sql`
        UPDATE leases SET issued_at = issued_at + interval '1 year', until = until + interval '1 year'
        WHERE key_id = ${held.id}`;
      await on.db.sql`SELECT redate_leases(clock_timestamp())`;
      const [row] = await on.db.sql`
        SELECT extract(epoch FROM until - issued_at)::int AS seconds, issued_at <= clock_timestamp() AS given
        FROM leases WHERE key_id = ${held.id}`;
      on.expect("its row", [row?.seconds, row?.given], [600, true]);
    },
  },
  {
    guarantee: "a sign-out is an end with a note, of a good key, and no oftener than a start",
    async check(on) {
      const [held, often, revoked] = [await on.hold(), await on.hold(), await on.hold()];
      on.expect("a sign-out", await trySignOut(on, held), "signed out");
      const rows = await on.db.sql`SELECT reason, note FROM session_history WHERE key_id = ${held.id}`;
      const note = "Signed out by the owner of the key";
      on.expect("the history", [...rows], [{ reason: "ended", note }]);
      await on.db.sql`UPDATE keys SET revoked_at = clock_timestamp() WHERE id = ${revoked.id}`;
      on.expect("a revoked key", await trySignOut(on, revoked), "key_revoked");
      await on.end(often.session);
      const { reply } = await on.start(often.key, { session_id: newId() });
      const again = { key: often.key, generation: reply?.generation ?? 0 };
      on.expect("at the limit", await trySignOut(on, again, { startsMax: 1 }), "rate_limited");
      on.expect("below it", await trySignOut(on, again, { startsMax: 2 }), "signed out");
    },
  },
  {
    guarantee: "G1 of a lease and another start at once, one keeps the other out, and is live",
    check: (on) =>
      rounds(async () => {
        const held = await on.hold();
        const other = newId();
        const [{ is }, start] = await Promise.all([lease(on, held), on.start(held.key, { session_id: other })]);
        const leased = is === "leased";
        on.expect("both", [is, start.is], leased ? ["leased", "key_in_use"] : ["replaced", "started"]);
        on.expect("who is live", await liveOf(on, held), [leased ? held.session : other]);
      }),
  },
  {
    guarantee: "G2 a lease given back while its device returns by it, and others come, ends once, and one is live",
    check: (on) =>
      rounds(async () => {
        const held = await holdLeased(on);
        await on.db.age(held.id, 61);
        const back = () => on.start(held.key, { session_id: newId(), lease: leaseText(held.leaseId) });
        const giveBack = () => returnLease(on.next(), leaseText(held.leaseId));
        const other = () => on.start(held.key, { session_id: newId() });
        const [first, second, third] = await Promise.all([back(), other(), back(), giveBack()]);
        const replies = [first, second, third].flatMap(({ reply }) => reply ?? []);
        on.expect("who comes back", [first.is, third.is], ["started", "started"]);
        on.expect("another", ["started", "key_in_use"].includes(second.is), true);
        const last = replies.toSorted((a, b) => a.generation - b.generation).at(-1);
        on.expect("who is live", await liveOf(on, held), [last?.session_id]);
        on.expect("generations", new Set(replies.map(({ generation }) => generation)).size, replies.length);
        on.expect("the lease", await rowOf(on, held), undefined);
      }),
  },
  {
    guarantee: "G3 of a sign-out, a lease and a start at once, the new session is never the one signed out",
    check: (on) =>
      rounds(async () => {
        const held = await on.hold();
        const other = newId();
        const [out, { is: leased }, start] = await Promise.all([
          trySignOut(on, held),
          lease(on, held),
          on.start(held.key, { session_id: other }),
        ]);
        const started = start.is === "started";
        on.expect("the start", start.is, leased === "leased" ? "key_in_use" : "started");
        on.expect("who is live", await liveOf(on, held), started ? [other] : []);
        const replaced = start.reply?.previous_session_terminated === true;
        on.expect("the sign-out", out, replaced ? "holder_changed" : "signed out");
        await revokeKey(on.next().database, { id: held.id, note: null }, BY);
        on.expect("after a revocation", [await liveOf(on, held), await rowOf(on, held)], [[], undefined]);
      }),
  },
];
