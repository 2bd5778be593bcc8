/** The requests as sent over the wire. */
import { accessKey, device } from "../names.ts";
import type { Target } from "./lane.ts";

export interface Requests {
  heartbeat(sessionId: string): string;
  /** Without a session id the server makes one up. */
  start(key: number, sessionId?: string): string;
  status(key: number): string;
  end(sessionId: string): string;
  watch(sessionId: string): string;
}

/** The same for all: the server works as much for it as for a fresh one. */
export const NONCE = "0123456789abcdefghijkl";

/** `signed`: each POST asks for a signed answer. */
export function createRequests({ host, port }: Target, signed = false): Requests {
  const nonce = signed ? `Keybeat-Nonce: ${NONCE}\r\n` : "";
  const post = (verb: string) =>
    `POST /api/session/${verb} HTTP/1.1\r\nHost: ${host}:${port}\r\nContent-Type: application/json\r\n${nonce}Content-Length: `;
  const heads = { heartbeat: post("heartbeat"), start: post("start"), status: post("status"), end: post("end") };
  const withBody = (head: string, body: string) => `${head}${body.length}\r\n\r\n${body}`;
  return {
    heartbeat: (sessionId) => withBody(heads.heartbeat, `{"session_id":"${sessionId}"}`),
    start: (key, sessionId) => {
      const chosen = sessionId === undefined ? "" : `"session_id":"${sessionId}",`;
      return withBody(heads.start, `{"access_key":"${accessKey(key)}",${chosen}"device":${device(key)}}`);
    },
    status: (key) => withBody(heads.status, `{"access_key":"${accessKey(key)}"}`),
    end: (sessionId) => withBody(heads.end, `{"session_id":"${sessionId}"}`),
    watch: (sessionId) =>
      `GET /api/session/watch HTTP/1.1\r\nHost: ${host}:${port}\r\nAuthorization: Bearer ${sessionId}\r\n\r\n`,
  };
}
