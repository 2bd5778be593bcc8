/** Heads that no honest client sends: too many, too long, contradictory about where the request ends, or no HTTP. */
import type { Fault } from "../fault.ts";
import type { Scene } from "../scene/scene.ts";
import { HEAD_SHAPES, type HeadShape } from "./head-shapes.ts";
import { type Exchange, exchange } from "./raw-connection.ts";
import { judgeRefusal } from "./refusals.ts";
import { firstFew, underAttack } from "./under-attack.ts";

const AT_ONCE = 16;
const PATIENCE_MS = 8_000;

export const manyHeaders: Fault = {
  name: "many-headers",
  breaks: "10,000 headers, a header of 1 MiB, requests that end in two places, garbage behind a request",
  needs: ["linux"],
  run: (room) =>
    underAttack(room, { grownMibMax: 96 }, async (scene) => {
      const rounds = room.short ? 3 : 40;
      const violations: string[] = [];
      let sent = 0;
      const queue = Array.from({ length: rounds }, () => HEAD_SHAPES).flat();
      const work = async () => {
        for (let shape = queue.shift(); shape !== undefined; shape = queue.shift()) {
          room.signal.throwIfAborted();
          violations.push(...(await trial(scene, shape, sent++)));
        }
      };
      await Promise.all(Array.from({ length: AT_ONCE }, work));
      return {
        violations: firstFew([...new Set(violations)]),
        figure: `${sent} heads of ${HEAD_SHAPES.length} shapes`,
      };
    }),
};

async function trial({ servers }: Scene, shape: HeadShape, turn: number): Promise<string[]> {
  const url = servers[turn % servers.length]?.url as string;
  const result = await exchange(url, Buffer.from(shape.bytes, "latin1"), { patienceMs: PATIENCE_MS });
  return judge(shape, result).map((wrong) => `${shape.name}: ${wrong}`);
}

function judge(shape: HeadShape, { answers, rest, closed }: Exchange): string[] {
  const given = answers.map((answer) => answer.status).join(" ");
  const wrong: string[] = [];
  if (!shape.right.includes(given)) wrong.push(`answered ${given || "nothing"}, not ${shape.right.join(" or ")}`);
  if (rest.length > 0) wrong.push(`wrote what is no HTTP: ${rest.toString("latin1", 0, 60)}`);
  if (shape.ends && !closed) wrong.push("kept the connection, on which nobody knows any more where a request begins");
  for (const answer of answers) if (answer.status >= 400) wrong.push(...judgeRefusal(answer));
  return wrong;
}
