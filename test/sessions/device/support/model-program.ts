/** The program under the model's eyes: calls its verbs, moves its time, reads its rows. */
import assert from "node:assert/strict";
import { AppError } from "../../../../src/errors.ts";
import { eraseKey, revokeKey } from "../../../../src/keys/index.ts";
import type { Holder } from "../../../../src/sessions/device/contract.ts";
import type { DeviceSessions } from "../../../../src/sessions/device/deps.ts";
import { beatSession, endSession, expireSessions, readStatus } from "../../../../src/sessions/device/index.ts";
import { returnLease } from "../../../../src/sessions/device/lease-return.ts";
import { signOut } from "../../../../src/sessions/device/sign-out.ts";
import type { TestDatabase } from "../../../support/database.ts";
import { BY, kickByPrefix } from "../../../support/operator.ts";
import { newLeaseId } from "../../../support/secrets.ts";
import { leaseText, tryLease } from "./leases.ts";
import type { Answer, Call, Reference } from "./model-reference.ts";
import { tryStart } from "./subject.ts";

/** Every answer of the program in the words of the reference, refusals included; throws what is neither. */
export async function ask(service: DeviceSessions, call: Call): Promise<Answer> {
  switch (call.do) {
    case "start":
      return start(service, call);
    case "heartbeat":
      return orRefusal(() => heartbeat(service, call));
    case "end":
      return { is: (await endSession(service, call.sessionId)) ? "ended" : "not live" };
    case "kick":
      return { is: await kickByPrefix(service.database, call.sessionId.slice(0, 8)) };
    case "lease": {
      const answer = await tryLease(service, call.sessionId, call.seconds, call.proof);
      if (answer.leaseId !== undefined) return { is: answer.is, leaseId: answer.leaseId };
      return { is: answer.is, ...(answer.challenge !== undefined && { learn: { challenge: answer.challenge } }) };
    }
    case "return": {
      const id = call.key.known ? call.key.lease?.id : undefined;
      return { is: (await returnLease(service, leaseText(id ?? newLeaseId()))) ? "returned" : "no lease" };
    }
    case "status": {
      const status = await readStatus(service, { access_key: call.key.accessKey, session_id: call.sessionId });
      const leased = status.leased_until !== undefined;
      if (!status.active) return { is: "inactive", leased };
      const { session_id, is_current, ...session } = status.session;
      return { is: "active", leased, own: is_current, id: session_id, ...visible(session) };
    }
    case "revoke": {
      const revoked = await revokeKey(service.database, { id: call.key.id, note: null }, BY);
      return revoked ? { is: "revoked", sessionRevoked: revoked.sessionRevoked } : { is: "unknown" };
    }
    case "erase":
      // Whose session is live, or silent but not swept, is still told how it ended; the others are forgotten.
      await cleanUp(service);
      return { is: (await eraseKey(service.database, call.key.id, BY)) ? "erased" : "unknown" };
    case "sign-out": {
      const request = { access_key: call.key.accessKey, expected_generation: call.expectedGeneration };
      return orRefusal(async () => ({ is: (await signOut(service, request)) ? "signed out" : "nobody live" }));
    }
  }
}

/** What is refused, with the holder or the challenge that it names. */
async function orRefusal(ask: () => Promise<Answer>): Promise<Answer> {
  try {
    return await ask();
  } catch (error) {
    if (!(error instanceof AppError) || error.code === "unavailable") throw error;
    const { holder, challenge } = error.data as { holder?: Holder; challenge?: string };
    return { is: error.code, ...(holder && { holder: visible(holder) }), ...(challenge && { learn: { challenge } }) };
  }
}

async function heartbeat(service: DeviceSessions, call: Call & { do: "heartbeat" }): Promise<Answer> {
  const beat = await beatSession(service, call.sessionId, call.proof);
  if (beat.live) return { is: "live", generation: beat.reply.generation };
  if (beat.ending === "unknown") return { is: "unknown" };
  const { reason, data } = beat.ending;
  if (!data.replaced_by) return { is: reason };
  const { started_at, device } = data.replaced_by;
  return { is: reason, endedAt: data.ended_at, by: { startedAt: started_at, device } };
}

/** Cleans up and returns the masked ids of the sessions that this has swept. */
export async function cleanUp(service: DeviceSessions): Promise<string[]> {
  const ids: string[] = [];
  const expired = await expireSessions(service.database, Number.POSITIVE_INFINITY, (batch) => {
    ids.push(...batch.map((row) => row.session_id));
  });
  assert.equal(ids.length, expired);
  return ids.sort();
}

async function start(service: DeviceSessions, call: Call & { do: "start" }): Promise<Answer> {
  const answer = await tryStart(service, {
    access_key: call.key.accessKey,
    session_id: call.sessionId,
    on_conflict: call.refuse ? "refuse" : "replace",
    expected_generation: call.expectedGeneration,
    device: call.device ?? undefined,
    lease: call.leaseId === undefined ? undefined : leaseText(call.leaseId),
    proof: call.proof,
  });
  if (!answer.reply && answer.challenge !== undefined) return { is: answer.is, learn: { challenge: answer.challenge } };
  if (!answer.reply && answer.leasedUntil !== undefined && answer.holder) {
    // When a lease was given is dated anew as time passes.
    const { generation, device } = answer.holder;
    return { is: answer.is, leased: true, holder: { generation, device } };
  }
  if (!answer.reply) return { is: answer.is, ...(answer.holder && { holder: visible(answer.holder) }) };
  const { reply } = answer;
  const { generation, previous_session: previous } = reply;
  const replaced = previous && {
    id: previous.session_id,
    startedAt: previous.started_at,
    device: previous.device,
  };
  return reply.resumed
    ? { is: "resumed", generation, previous: replaced }
    : { is: "started", previous: replaced, learn: { generation, startedAt: reply.started_at } };
}

const visible = (session: { generation: number; started_at: string; device: unknown }) => ({
  generation: session.generation,
  startedAt: session.started_at,
  device: session.device,
});

/** Dates the story's rows so that every session is as silent, and every key as old, as the reference says. */
export async function pin(db: TestDatabase, reference: Reference): Promise<void> {
  const { sessions, keys, nowSeconds } = reference;
  const silences = sessions.map((session) => [session.id, nowSeconds - session.beatAtSeconds]);
  const ages = keys
    .filter((key) => Number.isFinite(key.expiresAtSeconds))
    .map((key) => [key.id, nowSeconds - key.expiresAtSeconds]);
  const leases = keys.flatMap(({ id, known, lease }) =>
    known && lease && !lease.over ? [[id, lease.untilSeconds - nowSeconds]] : [],
  );
  await db.sql`
    WITH leased AS (
      UPDATE leases l SET until = clock_timestamp() + make_interval(secs => (pair->>1)::int),
                          issued_at = clock_timestamp() + make_interval(secs => (pair->>1)::int - 600)
      FROM json_array_elements(${JSON.stringify(leases)}::text::json) pair WHERE l.key_id = (pair->>0)::bigint
    ), aged AS (
      UPDATE keys k SET expires_at = clock_timestamp() - make_interval(secs => (pair->>1)::int)
      FROM json_array_elements(${JSON.stringify(ages)}::text::json) pair WHERE k.id = (pair->>0)::bigint
    )
    UPDATE active_sessions s SET last_heartbeat = clock_timestamp() - make_interval(secs => (pair->>1)::int)
    FROM json_array_elements(${JSON.stringify(silences)}::text::json) pair WHERE s.session_id = pair->>0`;
}

/** A session's place: by its last heartbeat among those that may be live, or by its reason in the history; or a lease. */
export interface Place {
  id: string;
  generation: number;
  stands: "live" | "silent" | "leased" | string;
  /** Since its last sign of life; null in the history. */
  silentSeconds: number | null;
}

/** Where every session of the story stands, and the leases that hold, in the order of the ids. */
export async function readPlaces(db: TestDatabase, reference: Reference): Promise<Place[]> {
  const ids = reference.keys.map((key) => key.id).join(",");
  const rows = await db.sql<Place[]>`
    WITH asked AS MATERIALIZED (SELECT unnest(string_to_array(${ids}, ',')::bigint[]) AS key_id)
    SELECT session_id AS id, s.generation,
           CASE WHEN last_heartbeat > session_cutoff(clock_timestamp()) THEN 'live' ELSE 'silent' END AS stands,
           floor(extract(epoch FROM clock_timestamp() - last_heartbeat))::int AS "silentSeconds"
    FROM asked JOIN active_sessions s USING (key_id)
    UNION ALL
    SELECT session_id, h.generation, h.reason, NULL FROM asked JOIN session_history h USING (key_id)
    UNION ALL
    SELECT lease_id, l.generation, 'leased', NULL FROM asked JOIN leases l USING (key_id) WHERE until > clock_timestamp()`;
  return [...rows].sort(byId);
}

export const byId = (a: Place, b: Place): number => (a.id < b.id ? -1 : 1);
