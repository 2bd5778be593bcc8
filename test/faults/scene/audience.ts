/**
 * Those whom a fault looks at by itself, beside the load: ten devices that beat all the time, one that falls silent, one key
 * that is taken over; in the waiting room a user with the seat and one in line who keep asking, and one who does not.
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

export interface Audience {
  /** What the devices were answered since it was last asked: how often each status. */
  take(): Record<string, number>;
  /** Takes the one key over. */
  takeOver(): Promise<StartReply>;
  /** From now on the silent device and the silent user are not heard of; new ones, if they are gone. */
  fallSilent(): Promise<void>;
  /** Who of all is not live any more. */
  gone(): Promise<string[]>;
  /** Who of the silent ones is. */
  stillThere(): Promise<string[]>;
  /** What those who are heard of all the time were told and must not be. */
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
  const position = (user: string) => insist("GET", `/v1/session/position/${user}`);
  const come = (user: string) => insist("POST", "/v1/session/create", { user_id: user, session_id: randomUUID() });

  const told: Record<string, number> = {};
  const troubles: string[] = [];
  const stopped = new AbortController();
  const keepOn = async (what: string, method: string, path: string, body?: unknown) => {
    while (!stopped.signal.aborted) {
      const { status } = await call(method, path, body);
      if (what === "a device") told[status] = (told[status] ?? 0) + 1;
      if (![200, 503, 0].includes(status)) troubles.push(`${what} that was heard of all the time got ${status}`);
      await scene.wait(BEAT_MS / 1000).catch(() => stopped.abort());
    }
  };
  const beating = await Promise.all(
    Array.from({ length: BEATING }, async () => start((await makeKey(operator)).accessKey)),
  );
  const users = {
    seated: `seated-${randomUUID()}`,
    waiting: `waiting-${randomUUID()}`,
    silent: `silent-${randomUUID()}`,
  };
  for (const user of [users.seated, users.waiting]) await come(user);
  const living = [
    ...beating.map(({ body }) => keepOn("a device", "POST", "/session/heartbeat", { session_id: body.session_id })),
    keepOn("the user with the seat", "GET", `/v1/session/position/${users.seated}`),
    keepOn("the user in line", "GET", `/v1/session/position/${users.waiting}`),
  ];
  scene.undo.push(async () => {
    stopped.abort();
    await Promise.all(living);
  });

  const [silentKey, takenKey] = [(await makeKey(operator)).accessKey, (await makeKey(operator)).accessKey];
  const isLive = async () => (await insist("POST", "/session/status", { access_key: silentKey })).body.active === true;
  // To ask for the user's position would keep the place: so the line is counted.
  const inLine = async () => (await insist("GET", "/v1/session/status")).body.queue_length as number;
  return {
    take: () => Object.fromEntries(Object.keys(told).map((status) => [status, takeCount(told, status)])),
    takeOver: async () => (await start(takenKey)).body as StartReply,
    async fallSilent() {
      await start(silentKey);
      await come(users.silent);
    },
    async gone() {
      const line = await inLine();
      return [
        ...((await isLive()) ? [] : ["the device that is silent"]),
        ...(line === 2 ? [] : [`somebody of the two in line (${line} left)`]),
        ...((await position(users.seated)).body.position === 0 ? [] : ["the user with the seat"]),
      ];
    },
    async stillThere() {
      const line = await inLine();
      return [
        ...((await isLive()) ? ["the device that is silent"] : []),
        ...(line === 1 ? [] : [`the user who is silent (${line} in line)`]),
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
