/** What holds of a sign-out, by which the owner of a key ends the session that holds it. */
import { AppError } from "../../../../src/errors.ts";
import { revokeKey } from "../../../../src/keys/index.ts";
import type { DeviceSessions } from "../../../../src/sessions/device/deps.ts";
import { signOut } from "../../../../src/sessions/device/sign-out.ts";
import { BY } from "../../../support/operator.ts";
import { newId, type Probe, type Subject } from "./probes.ts";
import { holdLeased } from "./probes-of-leases.ts";

/** `signed out`, `nobody live`, or the code of a refusal. */
export async function trySignOut(on: Subject, key: string, generation: number, more: Partial<DeviceSessions> = {}) {
  try {
    const request = { access_key: key, expected_generation: generation };
    return (await signOut({ ...on.next(), ...more }, request)) ? "signed out" : "nobody live";
  } catch (error) {
    if (!(error instanceof AppError) || error.code === "unavailable") throw error;
    return error.code;
  }
}

const endingsOf = async (on: Subject, id: number) => {
  const rows = await on.db.sql`SELECT reason, note IS NOT NULL AS noted FROM session_history
                               WHERE key_id = ${id} ORDER BY generation`;
  return [...rows].map(({ reason, noted }) => (noted ? `${reason}, noted` : reason));
};

export const PROBES_OF_OWNERS: Probe[] = [
  {
    guarantee: "G3 a sign-out ends the session of that generation, for good and with a note, and no other",
    async check(on) {
      const held = await on.hold();
      on.expect("of another", await trySignOut(on, held.key, held.generation - 1), "holder_changed");
      on.expect("it lives", await on.beat(held.session), "live");
      on.expect("of this one", await trySignOut(on, held.key, held.generation), "signed out");
      on.expect("it is told", await on.beat(held.session), "ended");
      on.expect("again", await trySignOut(on, held.key, held.generation), "nobody live");
      on.expect("the history", await endingsOf(on, held.id), ["ended, noted"]);
      on.expect("the next start", (await on.start(held.key, { session_id: newId() })).is, "started");
    },
  },
  {
    guarantee: "G5 a sign-out after the timeout ends nobody, who has expired",
    async check(on) {
      const held = await on.hold();
      await on.db.age(held.id, 61);
      on.expect("after 61 s", await trySignOut(on, held.key, held.generation), "nobody live");
      on.expect("the history", await endingsOf(on, held.id), ["expired"]);
    },
  },
  {
    guarantee: "a sign-out can do no more than a takeover could: a good key, and not too often",
    async check(on) {
      const [expired, often] = [await on.hold(), await on.hold()];
      await on.db.sql`UPDATE keys SET expires_at = clock_timestamp() WHERE id = ${expired.id}`;
      on.expect("an expired key", await trySignOut(on, expired.key, expired.generation), "key_expired");
      const revoked = await on.hold();
      await revokeKey(on.next().database, { id: revoked.id, note: null }, BY);
      on.expect("a revoked key", await trySignOut(on, revoked.key, revoked.generation), "key_revoked");
      on.expect("no key", await trySignOut(on, newId(), 1), "invalid_key");
      await on.end(often.session);
      const { reply } = await on.start(often.key, { session_id: newId() });
      const generation = reply?.generation ?? 0;
      on.expect("at the limit", await trySignOut(on, often.key, generation, { startsMax: 1 }), "rate_limited");
      on.expect("below it", await trySignOut(on, often.key, generation, { startsMax: 2 }), "signed out");
    },
  },
  {
    guarantee: "a sign-out frees no lease",
    async check(on) {
      const held = await holdLeased(on);
      on.expect("a sign-out", await trySignOut(on, held.key, held.generation), "signed out");
      on.expect("a start", (await on.start(held.key, { session_id: newId() })).is, "key_in_use");
    },
  },
];
