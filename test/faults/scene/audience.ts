/**
 * Those whom a fault looks at by itself, beside the load: ten devices that beat all the time, one that falls silent, one key
 * that is taken over; in the waiting room, where the load's users come before everybody in line, a user with a seat and one
 * in line who keep asking, and one in line who does not.
 */
import { randomUUID } from "node:crypto";
import { setMaxListeners } from "node:events";
import { openDatabase } from "../../../src/database/database.ts";
import type { StartReply } from "../../../src/sessions/device/contract.ts";
import { newSessionId } from "../../support/secrets.ts";
import type { DatabaseServer } from "./postgres.ts";
import type { Scene } from "./scene.ts";
import type { ServerProcess } from "./server.ts";
import { makeKey } from "./set-up.ts";

const BEATING = 10;
const BEAT_MS = 500;
const DEVICE = "a device that beats";
const FIRST = 9;
const LAST = 0;

export interface Audience {
  /** What the devices were answered since it was last asked: how often each status. */
  take(): Record<string, number>;
  /** Takes over the one key. */
  takeOver(): Promise<StartReply>;
  /** From now on the silent device and the silent user are not heard of; new ones, if they are gone. */
  fallSilent(): Promise<void>;
  /** Those of all that are no longer live. */
  gone(): Promise<string[]>;
  /** Those of the silent ones that are. */
  stillThere(): Promise<string[]>;
  /** Answers to the steadily heard that must not be. */
  troubles(): string[];
}

export async function gather<D extends DatabaseServer>(scene: Scene<D>): Promise<Audience> {
  setMaxListeners(0, scene.signal); // everybody waits on it
  const operator = openDatabase(scene.postgres.url);
  scene.undo.push(operator.close);
  const call = async (method: string, path: string, body?: unknown) => {
    const server = scene.servers[Math.floor(Math.random() * scene.servers.length)] as ServerProcess;
    const headers = { "Content-Type": "application/json" };
    const text = body === undefined ? undefined : JSON.stringify(body);
    const signal = AbortSignal.timeout(3_000);
    const reply = await fetch(`${server.url}/api${path}`, { method, headers, signal, body: text ?? null }).catch(
      () => null,
    );
    // biome-ignore lint/suspicious/noExplicitAny: a reply's body is whatever the server says
    const answer: any = (await reply?.json().catch(() => null)) ?? {};
    return { status: reply?.status ?? 0, body: answer };
  };
  /** Until it has a definite answer. */
  const insist = async (method: string, path: string, body?: unknown) => {
    for (let tries = 0; tries < 50; tries++) {
      const reply = await call(method, path, body);
      if (reply.status !== 0 && reply.status !== 503) return reply;
      await scene.wait(0.2);
    }
    throw new Error(`${method} ${path.slice(0, 30)} has no answer`);
  };
  const start = (access_key: string) => insist("POST", "/session/start", { access_key, session_id: newSessionId() });
  const come = (user: string, priority = LAST) =>
    insist("POST", "/v1/session/create", { user_id: user, session_id: randomUUID(), priority });
  /** To ask for a position would keep the place, and claim a seat. So the room is brought up to date, and then looked at. */
  const places = async (): Promise<Map<string, { seated: boolean }>> => {
    await insist("GET", "/v1/session/status");
    const rows = await scene.postgres.sql`SELECT user_id, seated_at IS NOT NULL AS seated FROM waiting_room_places`;
    return new Map(rows.map(({ user_id, seated }) => [user_id, { seated }]));
  };

  const told: Record<string, number> = {};
  const troubles: string[] = [];
  const stopped = new AbortController();
  /** A machine too slow to beat in time proves nothing against the service: the device then starts again. */
  const keepOn = async (what: string, come: () => Promise<unknown>, beat: () => Promise<{ status: number }>) => {
    let heardAt = Number.NEGATIVE_INFINITY; // it came a while ago
    while (!stopped.signal.aborted) {
      const sentAt = performance.now();
      const { status } = await beat();
      if (what === DEVICE) told[status] = (told[status] ?? 0) + 1;
      if (status === 200) heardAt = sentAt;
      else if (status === 404 || status === 410) {
        const silentMs = performance.now() - heardAt;
        if (silentMs < scene.circumstances.timeoutMs)
          troubles.push(`${what} got ${status}, ${silentMs} ms after its last`);
        heardAt = performance.now();
        await come();
      }
      await scene.wait(BEAT_MS / 1000).catch(() => stopped.abort());
    }
  };
  const keepDevice = async () => {
    const { accessKey } = await makeKey(operator);
    let { body } = await start(accessKey);
    const anew = async () => {
      ({ body } = await start(accessKey));
    };
    return () => keepOn(DEVICE, anew, () => call("POST", "/session/heartbeat", { session_id: body.session_id }));
  };
  const keepUser = async (user: string, priority: number) => {
    await come(user, priority);
    return () =>
      keepOn(
        "a user who asks",
        () => come(user, priority),
        () => call("GET", `/v1/session/position/${user}`),
      );
  };
  const users = {
    seated: `seated-${randomUUID()}`,
    waiting: `waiting-${randomUUID()}`,
    silent: `silent-${randomUUID()}`,
  };
  const devices = await Promise.all(Array.from({ length: BEATING }, keepDevice));
  const asking = [await keepUser(users.seated, FIRST), await keepUser(users.waiting, LAST)];
  const living = [...devices, ...asking].map((live) => live());
  while (!(await places()).get(users.seated)?.seated) await scene.wait(BEAT_MS / 1000);
  scene.undo.push(async () => {
    stopped.abort();
    await Promise.all(living);
  });

  const [silentKey, takenKey] = [(await makeKey(operator)).accessKey, (await makeKey(operator)).accessKey];
  const isLive = async () => (await insist("POST", "/session/status", { access_key: silentKey })).body.active === true;
  return {
    take: () => Object.fromEntries(Object.keys(told).map((status) => [status, takeCount(told, status)])),
    takeOver: async () => (await start(takenKey)).body as StartReply,
    async fallSilent() {
      await start(silentKey);
      await come(users.silent);
    },
    async gone() {
      const present = await places();
      return [
        ...((await isLive()) ? [] : ["the device that is silent"]),
        ...(present.has(users.silent) ? [] : ["the user who is silent"]),
        ...(present.has(users.waiting) ? [] : ["the user who asks"]),
        ...(present.get(users.seated)?.seated ? [] : ["the user with the seat"]),
      ];
    },
    async stillThere() {
      const silent = (await places()).get(users.silent);
      if (silent?.seated) scene.say("the user who is silent was let in, and has until the seat's own time is over");
      return [
        ...((await isLive()) ? ["the device that is silent"] : []),
        ...(silent && !silent.seated ? ["the user who is silent"] : []),
      ];
    },
    troubles: () => troubles.splice(0),
  };
}

function takeCount(told: Record<string, number>, status: string): number {
  const count = told[status] as number;
  delete told[status];
  return count;
}
