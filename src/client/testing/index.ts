/**
 * A fake Keybeat for an app's tests: `await startFakeServer()`, point the app at its `url`, and cause what is otherwise
 * hard to come by. Speaks the contract's device sessions, the watch stream included, over real HTTP; with proof, leases and
 * signatures where the app asks for them.
 *
 * For clients' tests only: it keeps everything in memory, takes any key unless told otherwise, and promises nothing
 * about many clients at once. Needs Node 18 or later, to sign Node 20.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { Device, Proof, StartReply } from "../../sessions/device/contract.ts";
import { type Ending, tellEnding } from "../../sessions/device/ending.ts";
import type { AnswerSigner } from "../../trust/signing.ts";
import { chooseSigningKey, type SigningKey } from "../../trust/signing-keys.ts";
import { endingBody, FakeDeviceSessions, type FakeReply, refusal } from "./device-sessions.ts";
import {
  checkBody,
  invalid,
  openEvents,
  type ReadBody,
  readBody,
  sendPreflight,
  sendReply,
  writeEvent,
} from "./http.ts";
import { createFakeSigner } from "./signatures.ts";

export interface FakeServerOptions {
  /** How long a session lives without a heartbeat. Default 60. */
  timeoutSeconds?: number;
  /** The longest heartbeat_in. Default half the timeout, 30 at most. */
  heartbeatSeconds?: number;
  /** The only valid keys; without it every key is. */
  keys?: string[];
  /** The most hours that a lease is given for; 0: none is given. Default 24. */
  offlineHoursMax?: number;
  /** Default: any free one. */
  port?: number;
}

/** An answer instead of the truth. */
export interface FakeTrouble {
  status: number;
  /** How many requests get it; default: all, until online(). */
  times?: number;
  /** For how long from now, in ms. */
  forMs?: number;
  /** Only to this path, such as "/api/session/heartbeat". */
  path?: string;
  headers?: Record<string, string>;
  /** Default: the service's own JSON for that status, such as 503 `unavailable`. Text is sent as HTML, and never signed. */
  body?: object | string;
}

/** A request as it came, the oldest first. */
export interface FakeRequest {
  method: string;
  path: string;
  body: Record<string, unknown>;
  authorization: string | undefined;
}

export interface FakeServer {
  readonly url: string;
  /** What the app takes as its `publicKey`: answers are signed with its other half, for whoever asks for that. */
  readonly publicKey: string;
  readonly requests: readonly FakeRequest[];
  /**
   * Another device starts a session with that key and replaces its holder. Returns the answer it got. Throws where it is
   * refused: the key is none, is revoked, or a lease keeps it.
   */
  takeOver(accessKey: string, device?: Device): StartReply;
  /** Lets the key's live session expire now. */
  expire(accessKey: string): void;
  /** Revokes the key: its live session ends as `revoked`, later starts are 403 `key_revoked`. */
  revoke(accessKey: string): void;
  /** Ends the key's live session as `revoked`, and its lease, as an operator does; the key stays valid. */
  kick(accessKey: string): void;
  /**
   * From now on a second process uses the id of the key's live session, too: with the next beat of the app's own it ends as
   * `cloned`. Throws where the session has no proof, as that goes unnoticed.
   */
  clone(accessKey: string): void;
  /** Answers with that status instead of the truth. Open streams stay open. */
  fail(trouble: FakeTrouble): void;
  /** Signs with another key, as a fake of the service does that does not have the real one, until online(). */
  forge(): void;
  /** Takes requests and never answers, until online(). */
  hang(): void;
  /** Cuts every connection and takes none, until online(). */
  offline(): void;
  /** Ends fail, forge, hang and offline. */
  online(): void;
  /** Cuts everything and stops listening. */
  close(): Promise<void>;
}

const COMMENT_EVERY_MS = 15_000;
const NO_BODY: ReadBody = { body: {}, raw: new Uint8Array() };

/** Starts the fake server on 127.0.0.1 and resolves when it listens. */
export async function startFakeServer(options: FakeServerOptions = {}): Promise<FakeServer> {
  const { timeoutSeconds = 60, heartbeatSeconds = Math.min(30, timeoutSeconds / 2), keys, port = 0 } = options;
  const { offlineHoursMax = 24 } = options;
  const requests: FakeRequest[] = [];
  const sockets = new Set<Socket>();
  const streams = new Map<string, Set<(ending: Ending) => void>>();
  const signer = createFakeSigner();
  let mode: "online" | "offline" | "hang" = "online";
  let trouble: (FakeTrouble & { until: number }) | undefined;

  const rules = { timeoutSeconds, heartbeatSeconds, keys, offlineHoursMax };
  const sessions = new FakeDeviceSessions(rules, (sessionId, ending) => {
    for (const tell of streams.get(sessionId) ?? []) tell(ending);
  });

  const server = createServer((request, response) => void handle(request, response));
  server.on("connection", (socket) => {
    if (mode === "offline") return socket.destroy();
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = "", url = "" } = request;
    const [path = ""] = url.split("?");
    if (method === "OPTIONS") return sendPreflight(response);
    const { authorization } = request.headers;
    const { body, raw, refused } = method === "POST" ? await readBody(request) : NO_BODY;
    requests.push({ method, path, body, authorization });
    if (mode === "hang") return;
    const asked = { method, url, headers: request.headers, body: raw };
    const signing = await signer.signerOf(asked).catch((error: Error) => error);
    if (signing instanceof Error)
      return sendReply(response, invalid("", signing.message.replace("Invalid request: ", "")));
    const answer = async (reply: FakeReply, headers: Record<string, string> = {}) => {
      const signature = await signing?.signAnswer(reply.status, JSON.stringify(reply.body));
      sendReply(response, reply, { ...headers, ...(signature !== undefined && { "Keybeat-Signature": signature }) });
    };
    const instead = takeTrouble(path);
    if (instead) return sendTrouble(response, instead, answer);
    if (method === "GET" && path === "/api/session/watch") return watch(request, response, { signing, answer });
    const name = method === "POST" ? path.replace("/api/session/", "") : "";
    const verb = VERBS[name];
    if (!verb) return answer(refusal(404, "not_found", "There is nothing at this address"));
    const trusts = request.headers["keybeat-trusts"]?.toString();
    const key = chooseSigningKey([signer.key], trusts);
    return answer(refused ?? checkBody(body, name) ?? verb(sessions, body, key));
  }

  function watch(request: IncomingMessage, response: ServerResponse, { signing, answer }: Answering): void {
    const sessionId = (request.headers.authorization ?? "").replace(/^Bearer /i, "");
    const withProof = /[?&]proof=true\b/.test(request.url ?? "");
    const first = sessionId
      ? sessions.watch(sessionId, withProof)
      : refusal(401, "unauthorized", "Please send the session id, as Authorization: Bearer <session_id>");
    if (first.status !== 200) return void answer(first);
    openEvents(response);
    let told = Promise.resolve();
    /** In their order, as each signature is bound to the event before. */
    const tell = (event: string, body: object) => {
      const data = JSON.stringify(body);
      told = told.then(async () => writeEvent(response, event, data, await signing?.signEvent(event, data)));
      return told;
    };
    const tellEnd = (ending: Ending) => {
      const { reason } = tellEnding(ending, withProof);
      void tell(reason, endingBody(ending, withProof)).then(() => response.end());
    };
    void tell("live", first.body);
    const comments = setInterval(() => mode === "online" && response.write(": still here\n\n"), COMMENT_EVERY_MS);
    const watchers = streams.get(sessionId) ?? new Set();
    streams.set(sessionId, watchers.add(tellEnd));
    response.on("close", () => {
      clearInterval(comments);
      watchers.delete(tellEnd);
    });
  }

  function takeTrouble(path: string): FakeTrouble | undefined {
    if (!trouble || (trouble.path && trouble.path !== path)) return undefined;
    if (Date.now() >= trouble.until || trouble.times === 0) return undefined;
    if (trouble.times !== undefined) trouble.times--;
    return trouble;
  }

  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    publicKey: signer.key.publicKey,
    requests,
    takeOver(access_key, device) {
      const { status, body } = sessions.start({ access_key, device });
      if (status !== 200) throw new Error(`the takeover was refused: ${JSON.stringify(body)}`);
      return body as StartReply;
    },
    expire: (accessKey) => sessions.finishHolder(accessKey, "expired"),
    revoke: (accessKey) => sessions.revokeKey(accessKey),
    kick: (accessKey) => sessions.kick(accessKey),
    clone: (accessKey) => sessions.cloneHolder(accessKey),
    fail(next) {
      trouble = { ...next, until: Date.now() + (next.forMs ?? Number.POSITIVE_INFINITY) };
    },
    forge: () => signer.forge(true),
    hang() {
      mode = "hang";
    },
    offline() {
      mode = "offline";
      for (const socket of sockets) socket.destroy();
    },
    online() {
      mode = "online";
      trouble = undefined;
      signer.forge(false);
    },
    close() {
      sessions.stop();
      for (const socket of sockets) socket.destroy();
      return new Promise((resolve) => {
        server.close(() => resolve());
      });
    },
  };
}

interface Answering {
  signing: AnswerSigner | undefined;
  answer(reply: FakeReply, headers?: Record<string, string>): Promise<void>;
}

type Verb = (sessions: FakeDeviceSessions, body: Record<string, unknown>, key: SigningKey | undefined) => FakeReply;

const VERBS: Record<string, Verb> = {
  start: (sessions, body) => sessions.start(body),
  heartbeat: (sessions, { session_id, proof }) => sessions.heartbeat(session_id as string, proof as Proof | undefined),
  end: (sessions, { session_id }) => sessions.end(session_id as string),
  status: (sessions, { access_key, session_id }) => sessions.status(access_key as string, session_id),
  lease: (sessions, { session_id, hours, proof }, key) =>
    sessions.lease(session_id as string, hours as number, key, proof as Proof | undefined),
  "lease/return": (sessions, { lease }) => sessions.returnLease(lease as string),
};

function sendTrouble(
  response: ServerResponse,
  { status, headers, body }: FakeTrouble,
  answer: Answering["answer"],
): void | Promise<void> {
  if (typeof body === "string") {
    response.writeHead(status, { "Content-Type": "text/html", ...headers }).end(body);
    return;
  }
  const own = refusal(status, status === 429 ? "rate_limited" : "unavailable", "The fake server was told to fail").body;
  const retry = status === 429 || status === 503;
  return answer({ status, body: body ?? own }, { ...(retry && { "Retry-After": "1" }), ...headers });
}
