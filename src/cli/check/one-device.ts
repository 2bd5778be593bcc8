/** The first part of the story: one device starts, beats and asks; others are refused. */
import { randomUUID } from "node:crypto";
import { heartbeatReply, holder, startReply, statusReply } from "../../sessions/device/contract.ts";
import { describe, expectError, expectReply, expectShape, expectThat } from "./expect.ts";
import { maskSessionId } from "./server.ts";
import { beat, expectLive, expectUnknown, generationOf, isNewer, newDevice, type Step, start } from "./story.ts";

export const ONE_DEVICE: Step[] = [
  {
    name: "health: the server answers",
    async run({ server }) {
      expectReply(await server.health());
    },
  },
  {
    name: "start: device A gets a session under the id that it chose",
    essential: true,
    async run(story) {
      const reply = await start(story, story.a);
      expectReply(reply, { success: true, session_id: story.a.sessionId });
      story.newer = "generation" in reply.body;
    },
  },
  {
    name: "start: the reply names generation, expires_in, heartbeat_in and the times",
    when: isNewer,
    async run({ a }) {
      expectDue(expectShape(startReply, a.reply?.body));
    },
  },
  {
    name: "heartbeat: A's session is live",
    run: (story) => expectLive(story, story.a),
  },
  {
    name: "heartbeat: the generation stays, and the next one is due before the session expires",
    when: isNewer,
    async run(story) {
      const reply = await beat(story, story.a);
      const body = expectShape(heartbeatReply, reply.body);
      expectThat(body.generation === generationOf(story.a), `generation ${generationOf(story.a)}`, describe(reply));
      expectDue(body);
    },
  },
  {
    name: "status: the key is in use",
    async run({ server, a }) {
      expectReply(await server.status({ session_id: a.sessionId }), { active: true });
    },
  },
  {
    name: "status: A sees its own session id whole",
    when: isNewer,
    async run({ server, a }) {
      const reply = await server.status({ session_id: a.sessionId });
      const body = expectShape(statusReply, reply.body);
      const own = body.active && body.session.is_current && body.session.session_id === a.sessionId;
      expectThat(own, "is_current true and the whole id", describe(reply));
    },
  },
  {
    name: "status: who holds only the key sees A's session id masked",
    when: isNewer,
    async run({ server, a }) {
      const reply = await server.status();
      expectThat(!reply.text.includes(a.sessionId), "a masked session id", "the whole one");
      const body = expectShape(statusReply, reply.body);
      const masked = body.active && !body.session.is_current && body.session.session_id === maskSessionId(a.sessionId);
      expectThat(masked, `is_current false and ${maskSessionId(a.sessionId)}`, describe(reply));
    },
  },
  {
    name: "start again with the same id: the same session, resumed, with the same generation",
    when: isNewer,
    async run(story) {
      const before = generationOf(story.a);
      const reply = await start(story, story.a);
      expectReply(reply, { resumed: true, generation: before, previous_session_terminated: false });
    },
  },
];

export const REFUSALS: Step[] = [
  {
    name: "start with on_conflict refuse: key_in_use, says who holds the key, and A stays live",
    when: isNewer,
    async run(story) {
      const reply = await start(story, newDevice("refused"), { on_conflict: "refuse" });
      const body = expectError(reply, 409, "key_in_use");
      const seen = expectShape(holder, body.holder);
      expectThat(seen.generation === generationOf(story.a), "the generation of A", describe(reply));
      expectThat(!reply.text.includes(story.a.sessionId), "no session id of another device", "the whole one of A");
      await expectLive(story, story.a);
    },
  },
  {
    name: "start with an outdated expected_generation: holder_changed, and A stays live",
    when: isNewer,
    async run(story) {
      const current = generationOf(story.a);
      const outdated = current > 0 ? current - 1 : current + 1;
      const reply = await start(story, newDevice("outdated"), { expected_generation: outdated });
      const seen = expectShape(holder, expectError(reply, 409, "holder_changed").holder);
      expectThat(seen.generation === current, "the generation of A", describe(reply));
      await expectLive(story, story.a);
    },
  },
  {
    name: "start with an unknown key: invalid_key",
    when: isNewer,
    async run(story) {
      expectError(await start(story, newDevice("stranger"), { access_key: unknownKey() }), 403, "invalid_key");
    },
  },
  {
    name: "status of an unknown key: not active",
    when: isNewer,
    async run({ server }) {
      expectReply(await server.status({ access_key: unknownKey() }), { active: false });
    },
  },
  {
    name: "heartbeat of an unknown session: not found",
    async run({ server, newer }) {
      const reply = await server.heartbeat(randomUUID());
      expectUnknown(reply);
      if (newer) expectError(reply, 404, "session_not_found");
    },
  },
  {
    name: "a request of a wrong shape: invalid_request, with what is wrong",
    when: isNewer,
    async run({ server }) {
      const reply = await server.heartbeat("too short");
      const { issues } = expectError(reply, 400, "invalid_request");
      expectThat(Array.isArray(issues) && issues.length > 0, "issues", describe(reply));
    },
  },
  {
    name: "X-Request-Id: taken over from the request, and there in every reply",
    when: isNewer,
    async run({ server, a }) {
      const id = `keybeat-check-${randomUUID()}`;
      const reply = await server.heartbeat(a.sessionId, { "X-Request-Id": id });
      expectThat(reply.headers.get("x-request-id") === id, id, reply.headers.get("x-request-id"));
      const without = server.replies.find((earlier) => !earlier.headers.get("x-request-id"));
      expectThat(without === undefined, "an X-Request-Id in every reply", `none in ${without && describe(without)}`);
    },
  },
];

const unknownKey = () => `no-such-key-${randomUUID()}`;

function expectDue(body: { expires_in: number; heartbeat_in: number }): void {
  const { expires_in, heartbeat_in } = body;
  const inTime = heartbeat_in > 0 && heartbeat_in < expires_in;
  expectThat(inTime, `heartbeat_in between 0 and expires_in (${expires_in})`, heartbeat_in);
}
