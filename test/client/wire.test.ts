/** The fake server says what the real one says: one story, told to both, each reply checked against the contract. */
import { randomUUID } from "node:crypto";
import { describe, expect, it } from "vitest";
import { type FakeServer, startFakeServer } from "../../src/client/testing/index.ts";
import {
  endReply,
  heartbeatReply,
  holder,
  keyInUse,
  leaseReply,
  startReply,
  statusReply,
} from "../../src/sessions/device/contract.ts";
import { createSeed } from "../../src/trust/signing-keys.ts";
import { openProver } from "../sessions/device/support/prover.ts";
import { watchResponse } from "../support/answers.ts";
import { useApp } from "../support/app.ts";
import { useDatabase } from "../support/database.ts";
import { newSessionId } from "../support/secrets.ts";
import { readEvents } from "./support/read-events.ts";

const db = useDatabase();
const app = useApp(db, { env: { SIGNING_KEY: createSeed(), OFFLINE_HOURS_MAX: "24" } });

interface Subject {
  send(path: string, init: RequestInit): Promise<Response>;
  makeKey(): Promise<string>;
}

async function withFake(use: (subject: Subject) => Promise<void>): Promise<void> {
  const fake: FakeServer = await startFakeServer();
  try {
    const send: Subject["send"] = async (path, init) =>
      watchResponse(new Request(fake.url + path, init), await fetch(fake.url + path, init));
    await use({ send, makeKey: async () => randomUUID() });
  } finally {
    await fake.close();
  }
}

const withReal = (use: (subject: Subject) => Promise<void>) =>
  use({
    send: async (path, init) => app.fetch(new Request(`http://keybeat.test${path}`, init)),
    makeKey: async () => (await db.makeKey()).key,
  });

for (const [name, withSubject] of [
  ["the fake server", withFake],
  ["the real service", withReal],
] as const) {
  describe(`${name} on the wire`, () => {
    // biome-ignore lint/suspicious/noExplicitAny: a reply's body is whatever the server says; the test looks at it
    type Reply = { status: number; body: any; requestId: string | null };
    const poster =
      (subject: Subject) =>
      async (verb: string, body: unknown): Promise<Reply> => {
        const response = await subject.send(`/api/session/${verb}`, {
          method: "POST",
          headers: { "Content-Type": "application/json" },
          body: typeof body === "string" ? body : JSON.stringify(body),
        });
        return {
          status: response.status,
          body: await response.json(),
          requestId: response.headers.get("x-request-id"),
        };
      };
    const errorOf = ({ status, body }: Pick<Reply, "status" | "body">) => [status, body.code];

    it("tells the story of a copy: nothing but two processes that run is one", async () => {
      await withSubject(async (subject) => {
        const post = poster(subject);
        const access_key = await subject.makeKey();
        const session_id = newSessionId();
        const send = { post: (path: string, body: unknown) => post(path.replace("/api/session/", ""), body) as never };
        const first = openProver(send, session_id);
        expect((await first.start(access_key)).status).toBe(200);
        const proof = first.next();
        const beat = await post("heartbeat", { session_id, proof });
        const again = await post("heartbeat", { session_id, proof });
        expect([beat.status, again.status, again.body.expires_at]).toEqual([200, 200, beat.body.expires_at]);
        expect(errorOf(await post("heartbeat", { session_id }))).toEqual([409, "proof_required"]);
        const second = openProver(send, session_id);
        const asked = second.next();
        const challenged = await post("heartbeat", { session_id, proof: asked });
        expect(errorOf(challenged)).toEqual([409, "proof_challenge"]);
        expect((await first.beat()).status).toBe(200);
        const late = { ...asked, answer: challenged.body.challenge };
        expect(errorOf(await post("heartbeat", { session_id, proof: late }))).toEqual([409, "proof_challenge"]);
        expect((await second.beat()).status).toBe(200);
        expect((await second.start(access_key)).body).toMatchObject({ resumed: true });
        expect(errorOf(await first.beat())).toEqual([410, "session_cloned"]);
        expect(errorOf(await second.beat())).toEqual([410, "session_cloned"]);
        const unproven = await post("heartbeat", { session_id });
        expect(errorOf(unproven)).toEqual([410, "session_revoked"]);
        expect(unproven.body.reason).toBe("This session's id is in use on two devices");
        expect(errorOf(await second.start(access_key))).toEqual([409, "session_id_used"]);
        expect(errorOf(await post("start", { access_key, proof: { instance: "short" } }))).toEqual([
          400,
          "invalid_request",
        ]);
      });
    });

    it("tells the story of a lease that is given, kept from others, used up and given back", async () => {
      await withSubject(async (subject) => {
        const post = poster(subject);
        const access_key = await subject.makeKey();
        const session_id = newSessionId();
        await post("start", { access_key, session_id, device: { name: "Laptop" } });
        expect(errorOf(await post("lease", { session_id, hours: 25 }))).toEqual([409, "lease_unavailable"]);
        expect(errorOf(await post("lease", { session_id, hours: 0 }))).toEqual([400, "invalid_request"]);
        expect(errorOf(await post("lease", { session_id: newSessionId(), hours: 1 }))).toEqual([
          404,
          "session_not_found",
        ]);
        const given = await post("lease", { session_id, hours: 2 });
        expect(leaseReply.parse(given.body)).toEqual(given.body);
        expect(Date.parse(given.body.until) - Date.parse(given.body.issued_at)).toBe(7_200_000);
        const { lease, until } = given.body;
        expect((await post("lease", { session_id, hours: 1 })).body).toMatchObject({ lease, until });
        expect((await post("start", { access_key, session_id })).body).toMatchObject({ resumed: true });
        await post("end", { session_id });
        expect((await post("status", { access_key })).body).toEqual({ active: false, leased_until: until });
        const kept = await post("start", { access_key });
        expect(errorOf(kept)).toEqual([409, "key_in_use"]);
        expect(keyInUse.parse(kept.body)).toMatchObject({
          leased_until: until,
          holder: { device: { name: "Laptop" } },
        });
        const back = await post("start", { access_key, lease });
        expect(back.body).toMatchObject({ resumed: false, previous_session: null });
        expect((await post("lease/return", { lease })).body).toEqual({ success: false });
        const next = await post("lease", { session_id: back.body.session_id, hours: 1 });
        expect((await post("lease/return", { lease: next.body.lease })).body).toEqual({ success: true });
        expect((await post("start", { access_key })).status).toBe(200);
        expect((await post("lease/return", { lease: "no lease" })).body).toEqual({ success: false });
      });
    });

    it("tells the story of a session that is started, kept, resumed and ended", async () => {
      await withSubject(async (subject) => {
        const post = poster(subject);
        const access_key = await subject.makeKey();
        const session_id = newSessionId();
        const first = await post("start", { access_key, session_id, device: { name: "Office PC" } });
        expect(first.status).toBe(200);
        expect(startReply.parse(first.body)).toEqual(first.body);
        expect(first.body).toMatchObject({ session_id, resumed: false, previous_session: null, expires_in: 60 });

        const beat = await post("heartbeat", { session_id });
        expect(heartbeatReply.parse(beat.body)).toEqual(beat.body);
        expect(beat.body.generation).toBe(first.body.generation);
        expect(beat.body.heartbeat_in).toBeGreaterThanOrEqual(25);
        expect(beat.body.heartbeat_in).toBeLessThanOrEqual(30);

        const again = await post("start", { access_key, session_id, on_conflict: "refuse" });
        expect(again.body).toMatchObject({ resumed: true, generation: first.body.generation, previous_session: null });

        const own = await post("status", { access_key, session_id });
        expect(statusReply.parse(own.body)).toEqual(own.body);
        expect(own.body.session).toMatchObject({ session_id, is_current: true });
        const foreign = await post("status", { access_key });
        expect(foreign.body.session).toMatchObject({ session_id: `${session_id.slice(0, 8)}…`, is_current: false });

        expect(endReply.parse((await post("end", { session_id })).body)).toEqual({ success: true });
        expect((await post("end", { session_id })).body).toEqual({ success: false });
        const late = await post("heartbeat", { session_id });
        expect(errorOf(late)).toEqual([410, "session_ended"]);
        expect(late.body.ended_at).toMatch(/^\d{4}-.*\.\d{3}Z$/);
        expect(errorOf(await post("start", { access_key, session_id }))).toEqual([409, "session_id_used"]);
        expect((await post("status", { access_key })).body).toEqual({ active: false });
      });
    });

    it("tells the story of a takeover, refused, agreed to, and refused as the holder changed", async () => {
      await withSubject(async (subject) => {
        const post = poster(subject);
        const access_key = await subject.makeKey();
        const [a, b, c] = [newSessionId(), newSessionId(), newSessionId()];
        const held = await post("start", { access_key, session_id: a, device: { name: "A" } });
        const refused = await post("start", { access_key, session_id: b, on_conflict: "refuse" });
        expect(errorOf(refused)).toEqual([409, "key_in_use"]);
        expect(holder.parse(refused.body.holder)).toEqual(refused.body.holder);
        expect(refused.body.holder).toMatchObject({ generation: held.body.generation, device: { name: "A" } });

        const agreed = { access_key, session_id: b, device: { name: "B" }, expected_generation: held.body.generation };
        const taken = await post("start", agreed);
        expect(taken.body).toMatchObject({
          previous_session_terminated: true,
          previous_session: { session_id: `${a.slice(0, 8)}…`, device: { name: "A" } },
        });
        expect(taken.body.generation).toBeGreaterThan(held.body.generation);

        const changed = await post("start", { ...agreed, session_id: c });
        expect(errorOf(changed)).toEqual([409, "holder_changed"]);
        expect(changed.body.holder).toMatchObject({ generation: taken.body.generation, device: { name: "B" } });

        const kicked = await post("heartbeat", { session_id: a });
        expect(errorOf(kicked)).toEqual([410, "session_replaced"]);
        expect(kicked.body.replaced_by).toEqual({ started_at: taken.body.started_at, device: { name: "B" } });
        expect(kicked.body.error).toBe("Another device has taken over this access key");
        expect(kicked.requestId).toBe(kicked.body.request_id);
      });
    });

    it("refuses what cannot be meant, in the same words for a program", async () => {
      await withSubject(async (subject) => {
        const post = poster(subject);
        const access_key = await subject.makeKey();
        expect(errorOf(await post("heartbeat", { session_id: newSessionId() }))).toEqual([404, "session_not_found"]);
        expect(errorOf(await post("heartbeat", { session_id: "short" }))).toEqual([400, "invalid_request"]);
        expect(errorOf(await post("heartbeat", "{"))).toEqual([400, "invalid_request"]);
        expect(errorOf(await post("start", { session_id: newSessionId() }))).toEqual([400, "invalid_request"]);
        expect(errorOf(await post("start", { access_key, on_conflict: "steal" }))).toEqual([400, "invalid_request"]);
        expect(errorOf(await post("start", "x".repeat(17_000)))).toEqual([413, "payload_too_large"]);
        expect(errorOf(await post("restart", {}))).toEqual([404, "not_found"]);
        const typeless = await subject.send("/api/session/end", { method: "POST", body: "{}" });
        expect(typeless.status).toBe(415);
        expect((await post("status", { access_key })).body).toEqual({ active: false });
      });
    });

    it("streams live first, then the final event with the body of the 410, and closes", async () => {
      await withSubject(async (subject) => {
        const post = poster(subject);
        const access_key = await subject.makeKey();
        const session_id = newSessionId();
        await post("start", { access_key, session_id });
        const watch = (id: string) =>
          subject.send("/api/session/watch", { headers: { Authorization: `Bearer ${id}` } });
        const response = await watch(session_id);
        expect(response.headers.get("content-type")).toMatch(/^text\/event-stream/);
        const events = readEvents(response);
        const live = (await events.next()).value;
        expect(live?.event).toBe("live");
        expect(heartbeatReply.parse(live?.data)).toEqual(live?.data);

        await post("start", { access_key, device: { name: "B" } });
        const final = (await events.next()).value;
        const { body } = await post("heartbeat", { session_id });
        expect(final).toEqual({ event: "replaced", data: { ...body, request_id: expect.any(String) } });
        expect((await events.next()).done).toBe(true);

        expect((await watch(session_id)).status).toBe(410);
        expect((await watch(newSessionId())).status).toBe(404);
        expect((await subject.send("/api/session/watch", {})).status).toBe(401);
      });
    });
  });
}
