/** What holds when leases race with starts, ends, revocations, kicks and returns: one of them was first. */
import { revokeKey } from "../../../../src/keys/index.ts";
import { kickSession } from "../../../../src/sessions/device/index.ts";
import { BY } from "../../../support/operator.ts";
import { leaseText } from "./leases.ts";
import { newId, type Probe, type Subject } from "./probes.ts";
import { giveBack, holdLeased, lease } from "./probes-of-leases.ts";
import { trySignOut } from "./probes-of-owners.ts";

const ROUNDS = 4;

const leasesOf = async (on: Subject, id: number) =>
  (await on.db.sql`SELECT lease_id FROM leases WHERE key_id = ${id}`).map((row) => row.lease_id as string);
const liveOf = async (on: Subject, id: number) =>
  (await on.db.sql`SELECT session_id FROM active_sessions WHERE key_id = ${id}`).map((row) => row.session_id as string);
const rounds = async (race: () => Promise<void>) => {
  for (let round = 0; round < ROUNDS; round++) await race();
};

export const RACES_OF_LEASES: Probe[] = [
  {
    guarantee: "G1 of a lease and another start at once, one keeps the other out",
    check: (on) =>
      rounds(async () => {
        const held = await on.hold();
        const other = newId();
        const [{ is, leaseId }, start] = await Promise.all([
          lease(on, held),
          on.start(held.key, { session_id: other }),
        ]);
        const leased = is === "leased";
        on.expect("both", [is, start.is], leased ? ["leased", "key_in_use"] : ["replaced", "started"]);
        on.expect("the lease", await leasesOf(on, held.id), leased ? [leaseId] : []);
        on.expect("who is live", await liveOf(on, held.id), [leased ? held.session : other]);
      }),
  },
  {
    guarantee: "a lease asked for several times at once is one",
    check: (on) =>
      rounds(async () => {
        const held = await on.hold();
        const given = await Promise.all(Array.from({ length: 4 }, () => lease(on, held)));
        on.expect("how many", new Set(given.map(({ leaseId }) => leaseId)).size, 1);
        on.expect("its row", await leasesOf(on, held.id), [given[0]?.leaseId]);
      }),
  },
  {
    guarantee: "G3 no lease is left once a revocation has committed, and none is given after a kick",
    check: (on) =>
      rounds(async () => {
        const [revoked, kicked] = [await on.hold(), await on.hold()];
        const [told] = await Promise.all([
          lease(on, revoked),
          revokeKey(on.next().database, { id: revoked.id, note: null }, BY),
        ]);
        on.expect("with a revocation", ["leased", "revoked"].includes(told.is), true);
        on.expect("after it", await leasesOf(on, revoked.id), []);
        const kick = { keyId: kicked.id, generation: kicked.generation, note: null };
        const [{ is }] = await Promise.all([lease(on, kicked), kickSession(on.next().database, kick, BY)]);
        on.expect("with a kick", ["leased", "revoked"].includes(is), true);
        on.expect("after it", await leasesOf(on, kicked.id), []);
      }),
  },
  {
    guarantee:
      "G3 of a lease and an end or a sign-out at once, the session is over, and the lease is there if it was given",
    check: (on) =>
      rounds(async () => {
        for (const by of ["end", "sign-out"]) {
          const held = await on.hold();
          const end = () => (by === "end" ? on.end(held.session) : trySignOut(on, held.key, held.generation));
          const [{ is, leaseId }, ended] = await Promise.all([lease(on, held), end()]);
          on.expect(by, ended, by === "end" ? true : "signed out");
          on.expect("the lease", await leasesOf(on, held.id), is === "leased" ? [leaseId] : []);
          on.expect("who is live", await liveOf(on, held.id), []);
          if (is !== "leased") on.expect("what it is told", is, "ended");
        }
      }),
  },
  {
    guarantee:
      "G2 a lease that is given back while its device returns by it, and others come, ends once, and one is live",
    check: (on) =>
      rounds(async () => {
        const held = await holdLeased(on);
        await on.db.age(held.id, 61);
        const back = () => on.start(held.key, { session_id: newId(), lease: leaseText(held.leaseId) });
        const other = () => on.start(held.key, { session_id: newId() });
        const [first, second, third] = await Promise.all([back(), other(), back(), giveBack(on, held.leaseId)]);
        const replies = [first, second, third].flatMap(({ reply }) => reply ?? []);
        on.expect("who comes back", [first.is, third.is], ["started", "started"]);
        on.expect("another", ["started", "key_in_use"].includes(second.is), true);
        const last = replies.toSorted((a, b) => a.generation - b.generation).at(-1);
        on.expect("who is live", await liveOf(on, held.id), [last?.session_id]);
        on.expect("generations", new Set(replies.map(({ generation }) => generation)).size, replies.length);
        on.expect("the lease", await leasesOf(on, held.id), []);
      }),
  },
  {
    guarantee: "G3 of a sign-out and a start at once, the new session is never the one signed out",
    check: (on) =>
      rounds(async () => {
        const held = await on.hold();
        const other = newId();
        const [out, { reply }] = await Promise.all([
          trySignOut(on, held.key, held.generation),
          on.start(held.key, { session_id: other }),
        ]);
        on.expect("the sign-out", out, reply?.previous_session_terminated ? "holder_changed" : "signed out");
        on.expect("who is live", await liveOf(on, held.id), [other]);
      }),
  },
];
