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

export function createRequests({ host, port }: Target): Requests {
  const post = (verb: string) =>
    `POST /api/session/${verb} HTTP/1.1\r\nHost: ${host}:${port}\r\nContent-Type: application/json\r\nContent-Length: `;
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
