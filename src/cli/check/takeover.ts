/** The second part of the story: a device takes the key over, sessions end, and in the end the key is free. */
import { ended, startReply } from "../../sessions/device/contract.ts";
import { describe, expectError, expectReply, expectShape, expectThat, Mismatch } from "./expect.ts";
import { maskSessionId } from "./server.ts";
import { expectLive, expectOver, generationOf, isNewer, type Step, type Story, start } from "./story.ts";

/** What a service of this kind does where the reply does not say. */
const TIMEOUT_SECONDS_USUAL = 60;

export const TAKEOVER: Step[] = [
  {
    name: "takeover: device B gets the key, and learns that it ended another session",
    async run(story) {
      const reply = await start(story, story.b);
      expectReply(reply, { success: true, session_id: story.b.sessionId, previous_session_terminated: true });
    },
  },
  {
    name: "takeover: the generation rises",
    when: isNewer,
    async run({ a, b }) {
      expectRise(generationOf(a), generationOf(b));
    },
  },
  {
    name: "takeover: previous_session is A's, with its id masked",
    when: isNewer,
    async run({ a, b }) {
      expectThat(!b.reply?.text.includes(a.sessionId), "a masked session id", "the whole one");
      const { previous_session } = expectShape(startReply, b.reply?.body);
      const expected = maskSessionId(a.sessionId);
      expectThat(previous_session?.session_id === expected, `previous_session ${expected}`, { previous_session });
    },
  },
  {
    name: "takeover: A is told at its next heartbeat",
    async run(story) {
      const reply = await expectOver(story, story.a, "session_replaced");
      if (!story.newer) return;
      const { replaced_by } = expectShape(ended, reply.body);
      const named = replaced_by?.device?.name === story.b.name;
      expectThat(named, `replaced_by with the device "${story.b.name}"`, describe(reply));
    },
  },
  {
    name: "takeover: B's session is live",
    run: (story) => expectLive(story, story.b),
  },
  {
    name: "takeover: A's start, sent once more, is refused as session_id_used, and B stays live",
    when: isNewer,
    async run(story) {
      expectError(await start(story, story.a), 409, "session_id_used");
      await expectLive(story, story.b);
    },
  },
  {
    name: "a late end of A does not end B's session",
    async run(story) {
      const reply = await story.server.end(story.a.sessionId);
      if (story.newer) expectReply(reply, { success: false });
      await expectLive(story, story.b);
    },
  },
];

export const ENDINGS: Step[] = [
  {
    name: "end: B ends its session",
    async run({ server, b }) {
      expectReply(await server.end(b.sessionId), { success: true });
    },
  },
  {
    name: "end: B's heartbeat is refused from then on",
    async run(story) {
      const reply = await expectOver(story, story.b, "session_ended");
      if (story.newer) expectShape(ended, reply.body);
    },
  },
  {
    name: "end, sent once more: success false",
    when: isNewer,
    async run({ server, b }) {
      expectReply(await server.end(b.sessionId), { success: false });
    },
  },
  {
    name: "status: the key is no longer in use",
    async run({ server }) {
      expectReply(await server.status(), { active: false });
    },
  },
  {
    name: "start after an end: device C takes over from nobody",
    async run(story) {
      expectReply(await start(story, story.c), { success: true, previous_session_terminated: false });
    },
  },
  {
    name: "start after an end: the generation rises all the same",
    when: isNewer,
    async run({ b, c }) {
      expectRise(generationOf(b), generationOf(c));
    },
  },
  {
    name: "start with the holder's expected_generation: device D takes over",
    when: isNewer,
    async run(story) {
      const reply = await start(story, story.d, { expected_generation: generationOf(story.c) });
      expectReply(reply, { success: true, previous_session_terminated: true });
    },
  },
];

export const EXPIRY: Step[] = [
  {
    name: "expiry: a session without a heartbeat is over after the timeout",
    async run(story) {
      expectReply(await start(story, story.e), { success: true });
      await waitForExpiry(story);
      await expectOver(story, story.e, "session_expired");
    },
  },
];

export const LAST: Step[] = [
  {
    name: "Retry-After: whoever was turned away (429, 503) was told when to come back",
    when: (story) => story.newer && turnedAway(story).length > 0,
    async run(story) {
      const without = turnedAway(story).find(({ headers }) => !/^\d+$/.test(headers.get("retry-after") ?? ""));
      expectThat(without === undefined, "Retry-After in whole seconds", `none in ${without && describe(without)}`);
    },
  },
  {
    name: "the key is free at the end",
    async run({ server }) {
      await server.freeKey();
      expectReply(await server.status(), { active: false });
    },
  },
];

const turnedAway = ({ server }: Story) => server.replies.filter(({ status }) => status === 429 || status === 503);

function expectRise(before: number, after: number): void {
  expectThat(after > before, `a generation over ${before}`, after);
}

/**
 * Asks for the status, which is no heartbeat. A server that was away itself may give its sessions a timeout more, and
 * one of the older kind may notice only at its next cleanup; both is granted.
 */
async function waitForExpiry(story: Story): Promise<void> {
  const told = story.e.reply?.body.expires_in;
  const timeoutSeconds = typeof told === "number" && told > 0 ? told : TIMEOUT_SECONDS_USUAL;
  await story.wait(timeoutSeconds + 1, "for the session to expire");
  for (let more = 0; more <= timeoutSeconds + 10; more++) {
    if ((await story.server.status()).body.active === false) return;
    await story.wait(1);
  }
  throw new Mismatch(`expected the session to be over after ${timeoutSeconds} s, came a live one`);
}
