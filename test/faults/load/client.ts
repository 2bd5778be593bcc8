/** Plain HTTP to one of several servers, with kept connections and its own deadline, as devices do it. */
import { Agent, request } from "node:http";
import { noteLeases } from "../../support/secrets.ts";
import { type AskedOfBatch, type BatchAnswer, readBatchAnswer, writeBatchRequest } from "./batch-call.ts";
import { type Answer, type Asked, type Copied, GIVE_UP_MS, parseJson, readAnswer } from "./call.ts";
import { type AskedOfMatch, type MatchAnswer, readMatchAnswer, writeMatchRequest } from "./match-call.ts";
import { listen } from "./match-stream.ts";
import type { Recorder } from "./recorder.ts";
import { type AskedOfRoom, type RoomAnswer, readRoomAnswer, writeRequest } from "./room-call.ts";
import { openWatch } from "./watch.ts";

export interface Client {
  servers: number;
  /** Never rejects: what went wrong is an unknown answer. */
  call(what: Asked, body: Record<string, unknown>): Promise<Answer>;
  /** Opens a watch stream. Resolves when it is over: with the ending, or with why it was not opened or was cut. */
  watch(what: Omit<Asked, "operation">, signal: AbortSignal): Promise<Answer>;
  /** The same for a call of a user of the waiting room. */
  askRoom(what: AskedOfRoom): Promise<RoomAnswer>;
  /** And of a worker of batch sessions. */
  askBatch(what: AskedOfBatch): Promise<BatchAnswer>;
  /** And of whoever plays in a match. */
  askMatch(what: AskedOfMatch): Promise<MatchAnswer>;
  /** From now on two processes run with that session id. */
  noteCopy(copied: Omit<Copied, "from">): void;
  /** Closes the connections that are kept. */
  close(): void;
}

export function createClient(servers: string[], record: Recorder): Client {
  const agents = servers.map(() => new Agent({ keepAlive: true }));
  return {
    servers: servers.length,
    async call(what, body) {
      const sentAt = performance.now();
      const url = `${servers[what.server]}/api/session/${what.operation === "return" ? "lease/return" : what.operation}`;
      const reply = await send("POST", url, agents[what.server], body);
      const answeredAt = performance.now();
      const known = "status" in reply;
      const answer = known ? readAnswer(what.operation, reply.status, reply.body) : reply;
      if (answer.is === "leased") noteLeases(answer.lease); // no server's log may hold its id
      record.call({ ...what, sentAt, answeredAt, status: known ? reply.status : 0, answer });
      return answer;
    },
    noteCopy: (what) => record.copied({ ...what, from: performance.now() }),
    watch: (what, signal) => openWatch(`${servers[what.server]}/api/session/watch?proof=true`, what, record, signal),
    async askRoom(what) {
      const { method, path, body } = writeRequest(what);
      const sentAt = performance.now();
      const reply = await send(method, `${servers[what.server]}/api/v1/session${path}`, agents[what.server], body);
      const answeredAt = performance.now();
      const known = "status" in reply;
      const answer = known ? readRoomAnswer(what.operation, reply.status, reply.body) : reply;
      record.roomCall({ ...what, sentAt, answeredAt, status: known ? reply.status : 0, answer });
      return answer;
    },
    async askBatch(what) {
      const { method, path, body, headers } = writeBatchRequest(what);
      const sentAt = performance.now();
      const reply = await send(
        method,
        `${servers[what.server]}/api/v1/batch${path}`,
        agents[what.server],
        body,
        headers,
      );
      const answeredAt = performance.now();
      const known = "status" in reply;
      const answer = known ? readBatchAnswer(what.operation, reply.status, reply.body) : reply;
      record.batchCall({ ...what, sentAt, answeredAt, status: known ? reply.status : 0, answer });
      return answer;
    },
    async askMatch(what) {
      const { method, path, body, headers } = writeMatchRequest(what);
      const url = `${servers[what.server]}/api/v1/game${path}`;
      const agent = agents[what.server];
      const sentAt = performance.now();
      const reply = await (what.operation === "events"
        ? listen(url, headers, agent)
        : send(method, url, agent, body, headers));
      const answeredAt = performance.now();
      const known = "status" in reply;
      const answer = known ? readMatchAnswer(what.operation, reply.status, reply.body) : reply;
      record.matchCall({ ...what, sentAt, answeredAt, status: known ? reply.status : 0, answer });
      return answer;
    },
    close: () => {
      for (const agent of agents) agent.destroy();
    },
  };
}

type Reply = { status: number; body: unknown } | Extract<Answer, { is: "unknown" }>;

function send(
  method: string,
  url: string,
  agent: Agent | undefined,
  body: unknown,
  more: Record<string, string> = {},
): Promise<Reply> {
  const text = body === undefined ? "" : JSON.stringify(body);
  const headers =
    body === undefined
      ? more
      : { "Content-Type": "application/json", "Content-Length": Buffer.byteLength(text), ...more };
  return new Promise((resolve) => {
    const sent = request(url, { method, agent, headers });
    const settle = (reply: Reply) => {
      clearTimeout(timer);
      resolve(reply);
    };
    const cut = () => settle({ is: "unknown", why: "cut" });
    const timer = setTimeout(() => {
      settle({ is: "unknown", why: "timeout" });
      sent.destroy();
    }, GIVE_UP_MS);
    sent.on("error", cut);
    sent.once("response", (response) => {
      const parts: Buffer[] = [];
      response.on("data", (part: Buffer) => parts.push(part));
      response.on("error", cut);
      response.once("end", () =>
        settle({ status: response.statusCode as number, body: parseJson(Buffer.concat(parts).toString("utf8")) }),
      );
    });
    sent.end(text);
  });
}
