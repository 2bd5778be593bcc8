/**
 * The database's own clock jumps, under load: back and ahead, by a minute, an hour and a year, with an outage before and
 * without. Nobody who is live is expired, nobody who is silent stays for longer than a timeout, and generations rise.
 */
import type { Fault, FaultRoom } from "../fault.ts";
import { type Audience, gather } from "../scene/audience.ts";
import { type JumpingPostgres, startJumpingPostgres } from "../scene/jumping-postgres.ts";
import { type Scene, underLoad } from "../scene/scene.ts";

const SIZES = { minute: 60, hour: 3600, year: 31_536_000 } as const;
const OUTAGE_SECONDS = 5;

interface Jump {
  name: string;
  seconds: number;
  outage: boolean;
  /** The clock is set right again after that many seconds. */
  undoneAfter?: number;
}

function jumpFault(name: string, breaks: string, jumps: (short: boolean) => Jump[]): Fault {
  return {
    name,
    breaks,
    needs: ["faketime", "postgresql server programs"],
    run: (room: FaultRoom) => {
      return underLoad(room, { database: startJumpingPostgres }, async (scene) => {
        // Times in the rows come from several clocks; the calls are judged by ours.
        scene.circumstances.clock.errorMs = Number.POSITIVE_INFINITY;
        const audience = await gather(scene);
        const told: Record<string, number> = {};
        const violations: string[] = [];
        let off = 0;
        for (const jump of jumps(room.short)) {
          off += await makeJump(scene, jump, off, audience, violations);
          for (const [status, count] of Object.entries(audience.take())) told[status] = (told[status] ?? 0) + count;
        }
        const counts = Object.entries(told).map(([status, count]) => `${count} times ${status}`);
        return { figure: `heartbeats of 10 devices throughout: ${counts.join(", ")}`, violations };
      });
    },
  };
}

/** Returns by how much the clock is off more than before. */
async function makeJump(
  scene: Scene<JumpingPostgres>,
  jump: Jump,
  off: number,
  audience: Audience,
  violations: string[],
): Promise<number> {
  scene.say(jump.name);
  const timeout = scene.circumstances.timeoutMs / 1000;
  const wrong = (sentence: string) => violations.push(`${jump.name}: ${sentence}`);
  const before = await audience.takeOver();
  await audience.fallSilent();
  if (jump.outage) await beAway(scene);
  scene.postgres.setClock(off + jump.seconds);
  let after = off + jump.seconds;
  if (jump.undoneAfter !== undefined) {
    await scene.wait(jump.undoneAfter);
    after = off;
    scene.postgres.setClock(after);
  }
  const jumpedAt = performance.now();
  await scene.wait(1.5);
  const taken = await audience.takeOver();
  if (taken.generation <= before.generation) wrong(`generation ${taken.generation} after ${before.generation}`);
  if (taken.expires_in !== timeout || Date.parse(taken.expires_at) - Date.parse(taken.server_time) !== timeout * 1000) {
    wrong(`a new session is told ${JSON.stringify({ ...taken, session_id: "" })}`);
  }
  await scene.wait(timeout - 1 - (performance.now() - jumpedAt) / 1000);
  const gone = await audience.gone();
  // On a machine that was too slow to ask in time nothing is proved.
  if (performance.now() - jumpedAt < timeout * 1000) for (const who of gone) wrong(`${who} is gone within a timeout`);
  else scene.say("it took too long to see whether those who are silent were still there");
  await scene.wait(timeout + 3 - (performance.now() - jumpedAt) / 1000);
  for (const who of await audience.stillThere()) wrong(`${who} is still there, over a timeout after`);
  for (const what of audience.troubles()) wrong(what);
  return after - off;
}

async function beAway(scene: Scene<JumpingPostgres>): Promise<void> {
  await scene.outage({
    away: () => Promise.all(scene.servers.map((server) => server.stop("SIGKILL"))),
    seconds: OUTAGE_SECONDS,
    back: () => Promise.all(scene.servers.map((server) => server.start())),
  });
}

const each = (direction: 1 | -1, more: Partial<Jump> = {}) =>
  Object.entries(SIZES).map(([size, seconds]) => {
    const name = `${direction < 0 ? "back" : "ahead"} by a ${size}${more.undoneAfter ? ` for ${more.undoneAfter} s` : ""}`;
    return { seconds: direction * seconds, outage: false, name, ...more };
  });
const afterOutage = (jump: Jump): Jump => ({ ...jump, outage: true, name: `${jump.name} after an outage` });
/** Every size without an outage before; with one every size, or in the short form the hour. */
const bothWays = (jumps: Jump[]) => (short: boolean) => [
  ...jumps,
  ...(short ? jumps.slice(1, 2) : jumps).map(afterOutage),
];

export const databaseClockFaults: Fault[] = [
  jumpFault(
    "database-clock-back",
    "the database's clock is set back by a minute, an hour and a year",
    bothWays(each(-1)),
  ),
  jumpFault(
    "database-clock-ahead",
    "the database's clock goes ahead by a minute, an hour and a year",
    bothWays(each(1)),
  ),
  jumpFault(
    "database-clock-away",
    "the database's clock goes ahead by as much for 3 s, and back again",
    bothWays(each(1, { undoneAfter: 3 })),
  ),
];
