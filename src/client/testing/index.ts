/**
 * A fake Keybeat for an app's tests: `await startFakeServer()`, point the app at its `url`, and cause what is otherwise
 * hard to come by. Speaks the contract's device sessions, the watch stream included, over real HTTP.
 *
 * For clients' tests only: it keeps everything in memory, takes any key unless told otherwise, and promises nothing
 * about many clients at once. Needs Node 18 or later.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { Device, StartReply } from "../../sessions/device/contract.ts";
import { FakeDeviceSessions, type FakeReply, refusal } from "./device-sessions.ts";
import { checkBody, openEvents, type ReadBody, readBody, sendPreflight, sendReply, writeEvent } from "./http.ts";

export interface FakeServerOptions {
  /** How long a session lives without a heartbeat. Default 60. */
  timeoutSeconds?: number;
  /** The longest heartbeat_in. Default half the timeout, 30 at most. */
  heartbeatSeconds?: number;
  /** The only valid keys; without it every key is. */
  keys?: string[];
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
  /** Default: the service's own JSON for that status, such as 503 `unavailable`. Text is sent as HTML. */
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
  readonly requests: readonly FakeRequest[];
  /** Another device starts a session with that key and replaces its holder. Returns the answer it got. */
  takeOver(accessKey: string, device?: Device): StartReply;
  /** Lets the key's live session expire now. */
  expire(accessKey: string): void;
  /** Revokes the key: its live session ends as `revoked`, later starts are 403 `key_revoked`. */
  revoke(accessKey: string): void;
  /** Ends the key's live session as `revoked`, as an operator does; the key stays valid. */
  kick(accessKey: string): void;
  /** Answers with that status instead of the truth. Open streams stay open. */
  fail(trouble: FakeTrouble): void;
  /** Takes requests and never answers, until online(). */
  hang(): void;
  /** Cuts every connection and takes none, until online(). */
  offline(): void;
  /** Ends fail, hang and offline. */
  online(): void;
  /** Cuts everything and stops listening. */
  close(): Promise<void>;
}

const COMMENT_EVERY_MS = 15_000;
const NO_BODY: ReadBody = { body: {} };

/** Starts the fake server on 127.0.0.1 and resolves when it listens. */
export async function startFakeServer(options: FakeServerOptions = {}): Promise<FakeServer> {
  const { timeoutSeconds = 60, heartbeatSeconds = Math.min(30, timeoutSeconds / 2), keys, port = 0 } = options;
  const requests: FakeRequest[] = [];
  const sockets = new Set<Socket>();
  const streams = new Map<ServerResponse, string>();
  let mode: "online" | "offline" | "hang" = "online";
  let trouble: (FakeTrouble & { until: number }) | undefined;

  const sessions = new FakeDeviceSessions({ timeoutSeconds, heartbeatSeconds, keys }, (ended, reason, body) => {
    for (const [stream, sessionId] of streams) {
      if (sessionId !== ended) continue;
      writeEvent(stream, reason, body);
      stream.end();
    }
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
    const { body, refused } = method === "POST" ? await readBody(request) : NO_BODY;
    requests.push({ method, path, body, authorization });
    if (mode === "hang") return;
    const instead = takeTrouble(path);
    if (instead) return sendTrouble(response, instead);
    if (method === "GET" && path === "/api/session/watch") return watch(response, authorization);
    const name = method === "POST" ? path.replace("/api/session/", "") : "";
    const verb = VERBS[name];
    if (!verb) return sendReply(response, refusal(404, "not_found", "There is nothing at this address"));
    sendReply(response, refused ?? checkBody(body, name) ?? verb(sessions, body));
  }

  function watch(response: ServerResponse, authorization = ""): void {
    const sessionId = authorization.replace(/^Bearer /i, "");
    const first = sessionId
      ? sessions.watch(sessionId)
      : refusal(401, "unauthorized", "Please send the session id, as Authorization: Bearer <session_id>");
    if (first.status !== 200) {
      sendReply(response, first);
      return;
    }
    openEvents(response);
    writeEvent(response, "live", first.body);
    const comments = setInterval(() => mode === "online" && response.write(": still here\n\n"), COMMENT_EVERY_MS);
    streams.set(response, sessionId);
    response.on("close", () => {
      clearInterval(comments);
      streams.delete(response);
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
    requests,
    takeOver(access_key, device) {
      const { status, body } = sessions.start({ access_key, device });
      if (status !== 200) throw new Error(`the takeover was refused: ${JSON.stringify(body)}`);
      return body as StartReply;
    },
    expire: (accessKey) => sessions.finishHolder(accessKey, "expired"),
    revoke: (accessKey) => sessions.revokeKey(accessKey),
    kick: (accessKey) => sessions.finishHolder(accessKey, "revoked"),
    fail(next) {
      trouble = { ...next, until: Date.now() + (next.forMs ?? Number.POSITIVE_INFINITY) };
    },
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

const VERBS: Record<string, (sessions: FakeDeviceSessions, body: Record<string, unknown>) => FakeReply> = {
  start: (sessions, body) => sessions.start(body),
  heartbeat: (sessions, { session_id }) => sessions.heartbeat(session_id as string),
  end: (sessions, { session_id }) => sessions.end(session_id as string),
  status: (sessions, { access_key, session_id }) => sessions.status(access_key as string, session_id),
};

function sendTrouble(response: ServerResponse, { status, headers, body }: FakeTrouble): void {
  if (typeof body === "string") {
    response.writeHead(status, { "Content-Type": "text/html", ...headers }).end(body);
    return;
  }
  const own = refusal(status, status === 429 ? "rate_limited" : "unavailable", "The fake server was told to fail").body;
  const retry = status === 429 || status === 503;
  sendReply(response, { status, body: body ?? own }, { ...(retry && { "Retry-After": "1" }), ...headers });
}
