/** Tens of thousands of requests to every route, made from the schemas that the routes themselves read. */
import { randomUUID } from "node:crypto";
import { playerToken, serviceToken } from "../../support/player-token.ts";
import { newAccessKey } from "../../support/secrets.ts";
import type { Fault } from "../fault.ts";
import { residentMib } from "../scene/process-figures.ts";
import type { Scene } from "../scene/scene.ts";
import { afterWarmUp, type Sample, surelyGrows } from "../scene/slope.ts";
import { judgeFuzzed } from "./fuzz-judge.ts";
import { createFuzzer, type Fuzzed } from "./fuzz-requests.ts";
import { chooseSeed, createRandom } from "./random.ts";
import { firstFew, underAttack } from "./under-attack.ts";

const ADMIN_TOKEN = newAccessKey();
const AT_ONCE = 32;
const SAMPLES = 60;
/** Half a kilobyte kept per request would be a leak; a heap of its own accord drifts by less, once it is warm: 6,000 do not warm it. */
const GROWTH_MIB_MAX = { of: 1_000, short: 8, whole: 0.5 };

export const fuzz: Fault = {
  name: "fuzz",
  breaks: "every route is sent what its schema allows and what it does not: fields, types, sizes, methods, headers",
  needs: ["linux"],
  run: (room) =>
    underAttack(room, { grownMibMax: 128, env: () => ({ ADMIN_TOKEN }) }, async (scene) => {
      const seed = chooseSeed();
      room.say(`FUZZ_SEED=${seed}`);
      const total = room.short ? 6_000 : 60_000;
      const fuzzer = createFuzzer({
        random: createRandom(seed),
        accessKeys: [scene.spareKey.accessKey, newAccessKey()],
        adminToken: ADMIN_TOKEN,
        userTokens: [serviceToken(), playerToken(randomUUID())],
      });
      const memory = scene.servers.map((): Sample[] => []);
      const wrong: string[] = [];
      const statuses = new Map<number, number>();
      for (let sent = 0; sent < total; ) {
        const count = Math.min(total / SAMPLES, total - sent);
        const round = await sendRound(scene, fuzzer.make, count, (status, one, text) => {
          statuses.set(status, (statuses.get(status) ?? 0) + 1);
          fuzzer.learn(one, status, text);
        });
        wrong.push(...round);
        sent += count;
        for (const [at, server] of scene.servers.entries()) {
          memory[at]?.push({ at: sent / GROWTH_MIB_MAX.of, value: residentMib(server.pid()) ?? 0 });
        }
      }
      const growth = Math.max(...memory.map((samples) => surelyGrows(afterWarmUp(samples, 0.4))));
      const growthMax = room.short ? GROWTH_MIB_MAX.short : GROWTH_MIB_MAX.whole;
      const seen = [...statuses].sort(([a], [b]) => a - b).map(([status, count]) => `${status}: ${count}`);
      return {
        violations: [
          ...firstFew([...new Set(wrong)]),
          ...(growth > growthMax ? [`a server grows by ${growth.toFixed(2)} MiB per 1,000 requests`] : []),
          ...(statuses.has(200) && statuses.has(400) ? [] : ["the fuzz proves little: it met not even 200 and 400"]),
        ],
        figure: `${total} requests, seed ${seed} (${seen.join(", ")}); ${growth.toFixed(2)} MiB growth per 1,000 requests`,
      };
    }),
};

async function sendRound(
  { servers, signal }: Scene,
  make: () => Fuzzed,
  count: number,
  seen: (status: number, one: Fuzzed, text: string) => void,
): Promise<string[]> {
  const wrong: string[] = [];
  let left = count;
  const work = async () => {
    while (left > 0) {
      left--;
      signal.throwIfAborted();
      const one = make();
      const url = `${servers[left % servers.length]?.url}${one.path}`;
      const { status, headers, text } = await send(url, one);
      seen(status, one, text);
      wrong.push(...judgeFuzzed(one, { status, headers, text }));
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return wrong;
}

/** A stream is left as soon as it begins. */
async function send(url: string, { method, headers, body }: Fuzzed) {
  const ask = () => fetch(url, { method, headers, body, redirect: "manual" });
  // A kept connection that the server ends may have been chosen in that moment; every client tries again then.
  const answer = await ask().catch(ask);
  const streams = answer.headers.get("content-type")?.startsWith("text/event-stream");
  if (streams) await answer.body?.cancel();
  return { status: answer.status, headers: answer.headers, text: streams ? "" : await answer.text() };
}
