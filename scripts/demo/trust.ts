/**
 * What trust adds, in under half a minute: a copied session is caught, a fake server is refused, and a device works on
 * offline by a lease. Everything is real: the service, its database, the clients, the forgery. `npm run demo:trust`
 */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { createSeed, readSigningKeys, type SigningKey } from "../../src/trust/signing-keys.ts";
import { Actor } from "./actor.ts";
import type { ToDevice } from "./device.ts";
import { startService } from "./service.ts";
import { createTell } from "./tell.ts";

const TIMEOUT_SECONDS = 3;
const LEASE_HOURS = 24;
const HEARD_MS_MAX = 5000;

const tell = createTell({ "Laptop A": "36", "Its copy": "35", "Cracked PC": "31", "Careful PC": "34" });
type Device = Actor<ToDevice>;

tell("story", `starting Keybeat with a database and a signing key; a session here expires after ${TIMEOUT_SECONDS} s`);
const signingKey = createSeed();
const [{ publicKey }] = readSigningKeys(signingKey) as [SigningKey];
const service = await startService(TIMEOUT_SECONDS, {
  SIGNING_KEY: signingKey,
  OFFLINE_HOURS_MAX: String(LEASE_HOURS),
});
const { url, accessKey } = service;
const devices: Device[] = [];
let fake: Server | undefined;
process.once("SIGINT", () => void finish(130));

try {
  await catchCopy();
  await refuseFake();
  await workOffline();
  tell("story", "that is all: a copy is seen, a forgery is no answer, and a lease is an honest day offline");
  await finish(0);
} catch (error) {
  tell("story", `something went wrong: ${(error as Error).message}`);
  await finish(1);
}

async function catchCopy(): Promise<void> {
  const a = device("Laptop A");
  start(a, url, {});
  tell(a.name, `works; it holds the key with generation ${(await a.next("live")).detail.generation}`);
  a.send({ readProfile: true });
  const { text } = (await a.next("profile")).detail;

  tell("story", "its profile is copied to another machine, with the session id in it");
  const copy = device("Its copy");
  start(copy, url, { profile: String(text) });
  const resumed = await copy.next("live");
  if (resumed.detail.resumed !== true) throw new Error("the copy has not resumed the session");
  tell(copy.name, "goes on with the same session, as a restarted app would; so far nobody can tell");
  for (const one of [a, copy]) {
    const { at, detail } = await one.next("lost");
    tell(
      one.name,
      `loses it ${((at - resumed.at) / 1000).toFixed(1)} s later: ${detail.reason}, final: ${detail.final}`,
    );
  }
  await Promise.all([a.end(), copy.end()]);
}

/** One of five lines is enough for any client that believes it. */
async function refuseFake(): Promise<void> {
  const live = { success: true, session_id: "a-session-of-nobody", generation: 1, resumed: false };
  const soon = { expires_in: 60, heartbeat_in: 30, previous_session_terminated: false, previous_session: null };
  const times = { started_at: new Date(), expires_at: new Date(Date.now() + 60_000), server_time: new Date() };
  fake = createServer((_request, response) => response.end(JSON.stringify({ ...live, ...soon, ...times })));
  await new Promise<void>((listening) => fake?.listen(0, "127.0.0.1", listening));
  const fakeUrl = `http://127.0.0.1:${(fake.address() as AddressInfo).port}`;

  tell("story", "somebody runs a fake server that says yes to everything, and points two apps to it");
  const believer = device("Cracked PC");
  believer.send({ start: { url: fakeUrl, accessKey: "a-key-that-nobody-sold", name: believer.name, ask: false } });
  await believer.next("live");
  tell(believer.name, "asks for no signature: it runs, with a key that nobody sold");
  const careful = device("Careful PC");
  start(careful, fakeUrl, { key: "a-key-that-nobody-sold" });
  tell(careful.name, `knows the service's public key: ${(await careful.next("refused")).detail.code}, not live`);
  await Promise.all([believer.end(), careful.end()]);
}

async function workOffline(): Promise<void> {
  const a = device("Laptop A");
  start(a, url, {});
  const { generation } = (await a.next("live")).detail;
  a.send({ readProfile: true });
  const [sessionId] = String((await a.next("profile")).detail.text).split(" ");
  const { code: refused } = await post("lease", { session_id: sessionId, hours: LEASE_HOURS });
  tell("story", `whoever has but its session id asks for a lease: ${refused}`);
  a.send({ lease: LEASE_HOURS });
  tell(a.name, `works, and takes a lease: until ${clock((await a.next("leased")).detail.until)} UTC it may be offline`);

  a.send({ network: false });
  tell("story", "it goes where there is no network, and its session expires by silence");
  tell(a.name, `works on, offline, until ${clock((await a.next("offline")).detail.until)} UTC at most`);
  await untilNobodyIsLive();

  const other = device("Careful PC");
  start(other, url, {});
  const { code, until } = (await other.next("refused")).detail;
  tell(other.name, `wants the key meanwhile: ${code}, leased until ${clock(until)} UTC`);

  a.send({ network: true });
  tell("story", "the network is back");
  const back = (await a.next("live")).detail;
  if (Number(back.generation) <= Number(generation)) throw new Error("it has come back with an old generation");
  tell(a.name, "is online again, with a new generation; its lease is over");
  start(other, url, {});
  await other.next("live");
  tell(other.name, `takes the key over, as ever; Laptop A is told: ${(await a.next("lost")).detail.reason}`);
}

function device(name: string): Device {
  const made = new Actor<ToDevice>(name, "device.ts");
  devices.push(made);
  return made;
}

function start(which: Device, at: string, { profile, key = accessKey }: { profile?: string; key?: string }): void {
  which.send({ start: { url: at, accessKey: key, name: which.name, ask: false, trust: { publicKey, profile } } });
}

async function untilNobodyIsLive(): Promise<void> {
  const giveUpAt = Date.now() + TIMEOUT_SECONDS * 1000 + HEARD_MS_MAX;
  while (Date.now() < giveUpAt) {
    if ((await post("status", { access_key: accessKey })).active === false) return;
    await sleep(50);
  }
  throw new Error("the session has not expired");
}

async function post(path: string, body: object): Promise<Record<string, unknown>> {
  const headers = { "Content-Type": "application/json" };
  const response = await fetch(`${url}/api/session/${path}`, { method: "POST", headers, body: JSON.stringify(body) });
  return (await response.json()) as Record<string, unknown>;
}

async function finish(code: number): Promise<void> {
  fake?.close().closeAllConnections();
  await Promise.all(devices.map((each) => each.end()));
  await service.stop();
  process.exit(code);
}

function clock(moment: unknown): string {
  return new Date(String(moment)).toISOString().slice(0, 16).replace("T", " ");
}
