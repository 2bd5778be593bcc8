/** Bodies of at most 16 KiB that are hard on a parser, on a validator or on PostgreSQL, to every route that reads one. */
import { newSessionId } from "../../support/secrets.ts";
import type { Fault } from "../fault.ts";
import { parseJson } from "../load/call.ts";
import type { Scene } from "../scene/scene.ts";
import { type HardBody, hardBodies } from "./hard-bodies.ts";
import { exchange } from "./raw-connection.ts";
import { judgeIssues, judgeRefusal } from "./refusals.ts";
import { firstFew, underAttack } from "./under-attack.ts";

const VERBS = ["start", "heartbeat", "end", "status"];
const AT_ONCE = 16;
const PATIENCE_MS = 4_000;

export const deepJson: Fault = {
  name: "deep-json",
  breaks: "JSON as deep as 16 KiB allow, __proto__, huge numbers, NULs, half surrogates, bytes that are no UTF-8",
  needs: ["linux"],
  run: (room) =>
    underAttack(room, { grownMibMax: 96 }, async (scene) => {
      const { accessKey } = scene.spareKey;
      const violations: string[] = [];
      let sent = 0;
      const work = async (queue: Array<() => Promise<string[]>>) => {
        for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
          room.signal.throwIfAborted();
          violations.push(...(await next()));
          sent++;
        }
      };
      for (let round = 0; round < (room.short ? 2 : 40); round++) {
        const url = scene.servers[round % scene.servers.length]?.url as string;
        const queue = VERBS.flatMap((verb) =>
          hardBodies({ accessKey, sessionId: newSessionId() }).map((body) => () => tryBody(url, verb, body)),
        );
        await Promise.all(Array.from({ length: AT_ONCE }, () => work(queue)));
      }
      violations.push(...(await checkUnharmed(scene, accessKey)));
      return { violations: firstFew([...new Set(violations)]), figure: `${sent} hard bodies` };
    }),
};

async function tryBody(url: string, verb: string, { name, bytes, right }: HardBody): Promise<string[]> {
  const head = `POST /api/session/${verb} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nConnection: close\r\n`;
  const counted = Buffer.concat([Buffer.from(`${head}Content-Length: ${bytes.length}\r\n\r\n`), bytes]);
  const { answers } = await exchange(url, counted, { patienceMs: PATIENCE_MS });
  const [answer] = answers;
  if (answer === undefined) return [`${verb}, ${name}: no answer`];
  const wrong: string[] = [];
  const { status, text } = answer;
  if (status >= 400) wrong.push(...judgeRefusal(answer));
  if (status === 400) wrong.push(...judgeIssues(text));
  const known = right === "refused" ? status === 400 : status < 500;
  if (!known) wrong.push(`answered ${status}${right === "refused" ? ", not 400" : ""}: ${text.slice(0, 120)}`);
  return wrong.map((each) => `${verb}, ${name}: ${each}`);
}

/** Nothing sent may affect later requests: no prototype, no default, no row. */
async function checkUnharmed({ servers }: Scene, accessKey: string): Promise<string[]> {
  const violations: string[] = [];
  for (const { url } of servers) {
    const ask = async (verb: string, body: unknown) => {
      const headers = { "Content-Type": "application/json" };
      const answer = await fetch(`${url}/api/session/${verb}`, { method: "POST", headers, body: JSON.stringify(body) });
      return { status: answer.status, body: parseJson(await answer.text()) as Record<string, unknown> };
    };
    const started = await ask("start", { access_key: accessKey });
    const again = await ask("start", { access_key: accessKey });
    if (started.status !== 200 || again.body.previous_session_terminated !== true) {
      violations.push("after it a start without a device or a choice does not replace the one before it");
    }
    const empty = await ask("heartbeat", {});
    if (empty.status !== 400) violations.push(`after it a heartbeat without a session id is answered ${empty.status}`);
  }
  return violations;
}
