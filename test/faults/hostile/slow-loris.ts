/** Connections that cost their sender nothing: slow heads, slow bodies, silence, unread answers. */
import { setMaxListeners } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import type { Fault } from "../fault.ts";
import type { Scene } from "../scene/scene.ts";
import { openRaw, type RawConnection } from "./raw-connection.ts";
import { firstFew, underAttack } from "./under-attack.ts";
import { watchUnread } from "./unread-watches.ts";

interface Kind {
  name: string;
  /** How many of them at once, at each server. */
  crowd: number;
  /** Sent at once, and then `drop` every `everyMs`. */
  head: string;
  drop?: string;
  everyMs?: number;
  /** Nothing of the answers is read. */
  unread?: boolean;
  /** Until a cut one is opened again: an attack by patience, not by the processor. */
  againMs: number;
  /** The server must have cut it by then. */
  cutMsMax?: number;
}

/** headersTimeout is 5 s, requestTimeout 10 s, and they are looked at each second; the rest is a busy machine's. */
const HEAD_CUT_MS_MAX = 10_000;
const BODY_CUT_MS_MAX = 15_000;
const FOR_EVER_MS = 2 ** 31 - 1;
/** Connections opened at a time; more would attack the kernel's queue instead. */
const OPENED_AT_ONCE = 20;
const OPENING_PAUSE_MS = 20;

const BODY = "POST /api/session/heartbeat HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n";

const KINDS: Kind[] = [
  { name: "says nothing", crowd: 250, head: "", againMs: 1_000, cutMsMax: HEAD_CUT_MS_MAX },
  {
    name: "sends a byte of its head every two seconds",
    crowd: 250,
    head: "GET / HTTP/1.1\r\nX: ",
    drop: "x",
    everyMs: 2_000,
    againMs: 1_000,
    cutMsMax: HEAD_CUT_MS_MAX,
  },
  {
    name: "sends a byte of its body each second",
    crowd: 200,
    head: `${BODY}Content-Length: 9999\r\n\r\n`,
    drop: " ",
    everyMs: 1_000,
    againMs: 1_000,
    cutMsMax: BODY_CUT_MS_MAX,
  },
  {
    name: "sends a chunk of one byte each second",
    crowd: 200,
    head: `${BODY}Transfer-Encoding: chunked\r\n\r\n`,
    drop: "1\r\n \r\n",
    everyMs: 1_000,
    againMs: 1_000,
    cutMsMax: BODY_CUT_MS_MAX,
  },
  // Answers that fill every buffer on the way; unread ones must not pile up in the server.
  {
    name: "asks 2,000 times at once and reads no answer",
    crowd: 16,
    unread: true,
    head: "GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n".repeat(2_000),
    drop: "GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n".repeat(500),
    everyMs: 1_000,
    againMs: 5_000,
  },
];

export const slowLoris: Fault = {
  name: "slow-loris",
  breaks: "thousands of connections: silent, a byte a second, answers and watch streams that nobody reads",
  needs: ["linux"],
  run: (room) =>
    underAttack(room, { grownMibMax: room.short ? 64 : 160 }, async (scene) => {
      const share = room.short ? 0.2 : 1;
      const streams = await watchUnread(scene, Math.round(300 * share));
      const crowds = await Promise.all(KINDS.map((kind) => keepCrowd(scene, kind, Math.ceil(kind.crowd * share))));
      await Promise.all(crowds.map((crowd) => crowd.eachCut));
      if (!room.short) await scene.wait(30);
      const results = await Promise.all(crowds.map((crowd) => crowd.end()));
      const connections = results.reduce((sum, { opened }) => sum + opened, 0);
      const longestMs = Math.max(...results.map(({ cutMs }) => cutMs));
      return {
        violations: [...results.flatMap(({ violations }) => firstFew(violations)), ...(await streams.judge())],
        figure:
          `${connections} slow connections, each cut within ${(longestMs / 1000).toFixed(1)} s, ` +
          `and ${streams.count} unread watch streams`,
      };
    }),
};

/** Keeps that many connections of a kind to each server, replacing those that are cut. */
async function keepCrowd(scene: Scene, kind: Kind, count: number) {
  const stop = new AbortController();
  setMaxListeners(0, stop.signal);
  const over = AbortSignal.any([scene.signal, stop.signal]);
  setMaxListeners(0, over);
  const result = { violations: [] as string[], opened: 0, cutMs: 0 };

  const sufferOne = async (url: string) => {
    const raw = openRaw(url);
    result.opened++;
    await Promise.race([
      trickle(raw, kind, over),
      sleep(kind.cutMsMax ?? FOR_EVER_MS, undefined, { signal: over }).catch(() => {}),
    ]);
    const wasCut = raw.closedAt() !== undefined;
    const ageMs = (raw.closedAt() ?? performance.now()) - raw.openedAt;
    raw.socket.destroy();
    if (kind.cutMsMax === undefined || (over.aborted && !wasCut)) return;
    if (wasCut) result.cutMs = Math.max(result.cutMs, ageMs);
    if (ageMs > kind.cutMsMax) {
      result.violations.push(`one that ${kind.name} was kept for ${(ageMs / 1000).toFixed(1)} s`);
    }
  };
  const goOn = async (url: string, first: Promise<void>) => {
    for (let next = first; ; next = sufferOne(url)) {
      await next;
      await sleep(kind.againMs, undefined, { signal: over }).catch(() => {});
      if (over.aborted) return;
    }
  };

  const firsts: Array<Promise<void>> = [];
  const all: Array<Promise<void>> = [];
  for (let n = 0; n < count && !over.aborted; n++) {
    for (const { url } of scene.servers) {
      const first = sufferOne(url);
      firsts.push(first);
      all.push(goOn(url, first));
    }
    if (n % OPENED_AT_ONCE === 0) await sleep(OPENING_PAUSE_MS);
  }
  return {
    /** Resolves when each of the first ones was cut, or kept for too long. */
    eachCut: kind.cutMsMax === undefined ? undefined : Promise.all(firsts),
    async end() {
      stop.abort();
      await Promise.all(all);
      return result;
    },
  };
}

/** Resolves when the connection is cut. */
async function trickle(raw: RawConnection, { head, drop, everyMs, unread }: Kind, over: AbortSignal): Promise<void> {
  if (unread) raw.socket.pause();
  if (head !== "") raw.socket.write(head);
  const timer = setInterval(() => drop !== undefined && raw.socket.writable && raw.socket.write(drop), everyMs);
  const stop = () => clearInterval(timer);
  over.addEventListener("abort", stop, { once: true });
  await raw.closed;
  stop();
}
