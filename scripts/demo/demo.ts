/**
 * Two devices and one key, in under half a minute: A works, B takes over, B's network fails and recovers, B crashes and
 * expires, comes back, and A asks before it takes over. Everything is real: the service, its database, the clients,
 * the crash. `npm run demo`
 */
import { setTimeout as sleep } from "node:timers/promises";
import { Actor } from "./actor.ts";
import type { ToDevice } from "./device.ts";
import { startService } from "./service.ts";
import { createTell } from "./tell.ts";

const TIMEOUT_SECONDS = 4;
const tell = createTell({ "Laptop A": "36", "Office PC B": "35" });
type Device = Actor<ToDevice>;

tell("story", `starting Keybeat with a database of its own; a session here expires after ${TIMEOUT_SECONDS} s`);
const service = await startService(TIMEOUT_SECONDS);
const { url, accessKey } = service;
const devices: Device[] = [];
const device = (name: string) => {
  const made = new Actor<ToDevice>(name, "device.ts");
  devices.push(made);
  return made;
};
const start = (which: Device, ask = false) => which.send({ start: { url, accessKey, name: which.name, ask } });
process.once("SIGINT", () => void finish(130));

try {
  await play();
  tell("story", "that is all: one key, one live device, and everybody always knew why");
  await finish(0);
} catch (error) {
  tell("story", `something went wrong: ${(error as Error).message}`);
  await finish(1);
}

async function play(): Promise<void> {
  const a = device("Laptop A");
  start(a);
  tell(a.name, `works; it holds the key with generation ${(await a.next("live")).detail.generation}`);
  await sleep(1500);

  tell("story", "somebody starts the app on another device, with the same key");
  const b = device("Office PC B");
  start(b);
  const taken = await b.next("live");
  tell(b.name, `works; it has taken the key over from "${nameIn(taken.detail.previous)}"`);
  const lost = await a.next("lost");
  const toldMs = Math.max(0, lost.at - taken.at);
  tell(
    a.name,
    `was told within ${toldMs} ms of B's start: ${lost.detail.reason} by "${nameIn(lost.detail.by)}"; it stops`,
  );
  await sleep(1500);

  tell("story", "B's network fails");
  b.send({ network: false });
  tell(b.name, `notices (${(await b.next("degraded")).detail.error}); it may still work until its deadline`);
  await sleep(700);
  b.send({ network: true });
  tell("story", "the network is back");
  await b.next("recovered");
  tell(b.name, "is fine again, and never lost the key");
  await sleep(1000);

  tell("story", "B crashes (kill -9), without a word to anybody");
  b.crash();
  const crashedAt = Date.now();
  while (await isActive()) await sleep(50);
  tell("story", `nobody holds the key any more, ${((Date.now() - crashedAt) / 1000).toFixed(1)} s after the crash`);
  const again = device("Office PC B");
  start(again);
  tell(again.name, `is started again: generation ${(await again.next("live")).detail.generation}`);

  tell("story", "A's person wants the key back, politely");
  start(a, true);
  const question = (await a.next("ask")).detail;
  tell(a.name, `asks: "${question.device}" holds the key since ${clock(question.since)}. Take it over? Yes.`);
  await sleep(1000);
  a.send({ answer: true });
  await a.next("live");
  tell(a.name, "works again; it replaced exactly the device that it was shown");
  tell(again.name, `was told: ${(await again.next("lost")).detail.reason}; it will not take the key back by itself`);
}

async function isActive(): Promise<boolean> {
  const response = await fetch(`${url}/api/session/status`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ access_key: accessKey }),
  });
  return ((await response.json()) as { active: boolean }).active;
}

async function finish(code: number): Promise<void> {
  await Promise.all(devices.map((each) => each.end()));
  await service.stop();
  process.exit(code);
}

function nameIn(holder: unknown): string {
  return (holder as { device?: { name?: string } } | null)?.device?.name ?? "an unnamed device";
}

function clock(moment: unknown): string {
  return new Date(String(moment)).toISOString().slice(11, 19);
}
