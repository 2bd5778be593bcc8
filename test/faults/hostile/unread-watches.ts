/** Watch streams whose readers read nothing: what they were told must cost the server little, and wait for them. */
import { setTimeout as sleep } from "node:timers/promises";
import { newSessionId } from "../../support/secrets.ts";
import type { Scene } from "../scene/scene.ts";
import { openRaw, type RawConnection } from "./raw-connection.ts";

const BEAT_MS = 500;
const TOLD_MS_MAX = 3_000;
/** So many of one session a process keeps, those that came last; the others are ended. */
const KEPT = 8;

export interface UnreadWatches {
  count: number;
  /** Takes the session over, starts reading, and names the watchers that were not told. */
  judge(): Promise<string[]>;
}

/** Opens that many streams at each server, all on one session, which is kept live meanwhile. */
export async function watchUnread(scene: Scene, count: number): Promise<UnreadWatches> {
  const sessionId = newSessionId();
  await start(scene, sessionId);
  const beating = setInterval(() => void beat(scene, sessionId).catch(() => {}), BEAT_MS);
  scene.undo.push(async () => clearInterval(beating));
  const streams: RawConnection[] = [];
  for (let n = 0; n < count; n++) {
    for (const { url } of scene.servers) {
      const raw = openRaw(url);
      raw.socket.pause();
      raw.socket.write(`GET /api/session/watch HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${sessionId}\r\n\r\n`);
      streams.push(raw);
    }
    if (n % 10 === 0) await sleep(10);
  }
  return {
    count: streams.length,
    async judge() {
      clearInterval(beating);
      await start(scene, newSessionId());
      for (const { socket } of streams) socket.resume();
      const isTold = (raw: RawConnection) => /\nevent: replaced\n/.test(raw.received().toString("latin1"));
      const isEnded = (raw: RawConnection) => raw.received().toString("latin1").endsWith("0\r\n\r\n");
      const untold = () => KEPT * scene.servers.length - streams.filter(isTold).length;
      const open = () => streams.filter((raw) => !isTold(raw) && !isEnded(raw)).length;
      const until = performance.now() + TOLD_MS_MAX;
      while (untold() + open() > 0 && performance.now() < until) await sleep(20);
      const violations = [
        ...(untold() > 0 ? [`${untold()} unread streams fewer than a process keeps were told of the takeover`] : []),
        ...(open() > 0 ? [`${open()} unread streams were neither told of the takeover nor ended`] : []),
      ];
      for (const { socket } of streams) socket.destroy();
      return violations;
    },
  };
}

async function start({ servers, spareKey }: Scene, sessionId: string): Promise<void> {
  const answer = await post(`${servers[0]?.url}/api/session/start`, {
    access_key: spareKey.accessKey,
    session_id: sessionId,
  });
  if (!answer.ok) throw new Error(`a start was answered ${answer.status}`);
}

const beat = ({ servers }: Scene, sessionId: string): Promise<Response> =>
  post(`${servers[0]?.url}/api/session/heartbeat`, { session_id: sessionId });

async function post(url: string, body: unknown): Promise<Response> {
  const headers = { "Content-Type": "application/json" };
  const answer = await fetch(url, { method: "POST", headers, body: JSON.stringify(body) });
  await answer.arrayBuffer();
  return answer;
}
