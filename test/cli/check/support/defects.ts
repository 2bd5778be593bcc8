import type { Reply } from "../../../support/app.ts";

/** What the relay has seen of the current check. */
export const seen: Exchange[] = [];

export type Fields = Record<string, unknown>;

export interface Exchange {
  verb: string;
  sent: Fields;
  reply: Reply;
}

export interface Defect {
  name: string;
  /** The step that must fail. */
  fails: string;
  /** Others that depend on it and fail with it. */
  also?: string[];
  spoilRequest?(verb: string, sent: Fields): void;
  spoilReply?(exchange: Exchange): void;
}

const started = () => seen.filter(({ verb, reply }) => verb === "start" && reply.status === 200 && !reply.body.resumed);
const idOf = (at: number) => started().at(at)?.sent.session_id as string;
const on = (verb: string, spoil: (exchange: Exchange) => void) => (exchange: Exchange) => {
  if (exchange.verb === verb) spoil(exchange);
};

export const DEFECTS: Defect[] = [
  {
    name: "is not well",
    fails: "health: the server answers",
    spoilReply: on("health", ({ reply }) => {
      reply.status = 503;
      reply.headers.set("Retry-After", "1");
    }),
  },
  {
    name: "does not say when the next heartbeat is due",
    fails: "start: the reply names generation, expires_in, heartbeat_in and the times",
    also: ["takeover: previous_session is A's, with its id masked"],
    spoilReply: on("start", ({ reply }) => delete reply.body.heartbeat_in),
  },
  {
    name: "has heartbeats due after the expiry",
    fails: "heartbeat: the generation stays, and the next one is due before the session expires",
    spoilReply: on("heartbeat", ({ reply }) => {
      if (reply.status === 200) reply.body.heartbeat_in = 61;
    }),
  },
  {
    name: "says in every status that the key is free",
    fails: "status: the key is in use",
    also: ["status: A sees its own session id whole", "status: who holds only the key sees A's session id masked"],
    spoilReply: on("status", ({ reply }) => {
      reply.body = { active: false };
    }),
  },
  {
    name: "does not know a device again",
    fails: "status: A sees its own session id whole",
    spoilReply: on("status", ({ reply }) => {
      if (reply.body.session) reply.body.session.is_current = false;
    }),
  },
  {
    name: "leaks the whole session id to who holds only the key",
    fails: "status: who holds only the key sees A's session id masked",
    spoilReply: on("status", ({ reply }) => {
      if (reply.body.session) reply.body.session.session_id = idOf(-1);
    }),
  },
  {
    name: "does not resume",
    fails: "start again with the same id: the same session, resumed, with the same generation",
    spoilReply: on("start", ({ reply }) => {
      if (reply.body.resumed) reply.body.generation++;
    }),
  },
  {
    name: "names the wrong holder",
    fails: "start with on_conflict refuse: key_in_use, says who holds the key, and A stays live",
    also: ["start with an outdated expected_generation: holder_changed, and A stays live"],
    spoilReply: on("start", ({ reply }) => {
      if (reply.body.holder) reply.body.holder.generation--;
    }),
  },
  {
    name: "leaks the holder's session id in a refusal",
    fails: "start with on_conflict refuse: key_in_use, says who holds the key, and A stays live",
    spoilReply: on("start", ({ reply }) => {
      if (reply.body.code === "key_in_use") reply.body.holder.secret = idOf(-1);
    }),
  },
  {
    name: "does not know expected_generation",
    fails: "start with an outdated expected_generation: holder_changed, and A stays live",
    also: ["takeover: A is told at its next heartbeat", "takeover: previous_session is A's, with its id masked"],
    spoilRequest: (_verb, sent) => delete sent.expected_generation,
  },
  {
    name: "has an answer of its own for unknown keys",
    fails: "start with an unknown key: invalid_key",
    spoilReply: on("start", ({ reply }) => {
      if (reply.body.code === "invalid_key") reply.status = 401;
    }),
  },
  {
    name: "turns away without Retry-After",
    fails: "status of an unknown key: not active",
    also: ["Retry-After: whoever was turned away (429, 503) was told when to come back"],
    spoilReply: on("status", ({ sent, reply }) => {
      if (String(sent.access_key).startsWith("no-such-key")) reply.status = 503;
    }),
  },
  {
    name: "has errors without a code",
    fails: "a request of a wrong shape: invalid_request, with what is wrong",
    spoilReply: on("heartbeat", ({ reply }) => {
      if (reply.status === 400) delete reply.body.code;
    }),
  },
  {
    name: "has errors that name another request",
    fails: "heartbeat of an unknown session: not found",
    spoilReply: on("heartbeat", ({ reply }) => {
      if (reply.status === 404) reply.body.request_id = "another";
    }),
  },
  {
    name: "does not take over the id of a request",
    fails: "X-Request-Id: taken over from the request, and there in every reply",
    spoilReply: on("heartbeat", ({ reply }) => {
      if (reply.status === 200) reply.headers.set("X-Request-Id", "another");
    }),
  },
  {
    name: "does not name its requests",
    fails: "X-Request-Id: taken over from the request, and there in every reply",
    spoilReply: on("status", ({ reply }) => reply.headers.delete("X-Request-Id")),
  },
  {
    name: "keeps a takeover to itself",
    fails: "takeover: device B gets the key, and learns that it ended another session",
    also: ["start with the holder's expected_generation: device D takes over"],
    spoilReply: on("start", ({ reply }) => {
      if (reply.status === 200) reply.body.previous_session_terminated = false;
    }),
  },
  {
    name: "gives out generations that fall",
    fails: "takeover: the generation rises",
    spoilReply: on("start", ({ reply }) => {
      if (reply.body.previous_session) reply.body.generation = 1;
    }),
  },
  {
    name: "leaks the whole session id of the replaced device",
    fails: "takeover: previous_session is A's, with its id masked",
    spoilReply: on("start", ({ reply }) => {
      if (reply.body.previous_session) reply.body.previous_session.session_id = idOf(-1);
    }),
  },
  {
    name: "takes replaced for expired",
    fails: "takeover: A is told at its next heartbeat",
    spoilReply: on("heartbeat", ({ reply }) => {
      if (reply.body.code === "session_replaced") reply.body.code = "session_expired";
    }),
  },
  {
    name: "does not say by which device",
    fails: "takeover: A is told at its next heartbeat",
    spoilReply: on("heartbeat", ({ reply }) => {
      delete reply.body.replaced_by;
    }),
  },
  {
    name: "lets a start that is sent once more take the key back",
    fails: "takeover: A's start, sent once more, is refused as session_id_used, and B stays live",
    spoilReply: on("start", ({ reply }) => {
      if (reply.body.code === "session_id_used") Object.assign(reply, { status: 200, body: { success: true } });
    }),
  },
  {
    name: "ends the successor with a late end",
    fails: "a late end of A does not end B's session",
    also: ["end: B ends its session"],
    spoilRequest: (verb, sent) => {
      if (verb === "end") sent.session_id = idOf(-1);
    },
    spoilReply: on("end", ({ reply }) => {
      reply.body.success = false;
    }),
  },
  {
    name: "ends a session twice",
    fails: "end, sent once more: success false",
    also: ["a late end of A does not end B's session"],
    spoilReply: on("end", ({ reply }) => {
      reply.body.success = true;
    }),
  },
  {
    name: "forgets why a session is over",
    fails: "end: B's heartbeat is refused from then on",
    spoilReply: on("heartbeat", ({ reply }) => {
      if (reply.body.code === "session_ended") reply.status = 404;
    }),
  },
  {
    name: "starts its generations anew after an end",
    fails: "start after an end: the generation rises all the same",
    also: ["start with the holder's expected_generation: device D takes over"],
    spoilReply: on("start", ({ reply }) => {
      if (started().length === 2 && reply.status === 200) reply.body.generation = 1;
    }),
  },
  {
    name: "ends nothing",
    fails: "the key is free at the end",
    also: [
      "end: B's heartbeat is refused from then on",
      "end, sent once more: success false",
      "status: the key is no longer in use",
      "start after an end: device C takes over from nobody",
    ],
    spoilRequest: (verb, sent) => {
      if (verb === "end") sent.session_id = "a-session-that-is-not-there";
    },
    spoilReply: on("end", ({ sent, reply }) => {
      reply.body.success = sent.session_id === idOf(-1);
    }),
  },
];
