/** An hour of ordinary work, shortened: what would fill the machine in a month grows a little each minute. */
import type { Fault } from "../fault.ts";
import { openHandles, residentMib } from "../scene/process-figures.ts";
import { type Scene, underLoad } from "../scene/scene.ts";
import { afterWarmUp, type Sample, surelyGrows } from "../scene/slope.ts";

/** Growth that is not yet proof: a heap settles for minutes, a leak does not. */
const GROWTH_MAX = { mib: 40, handles: 10, tableKib: 1024 };
const WARM_UP_SHARE = 0.4;
const SECONDS = { short: 20, whole: 150 };

interface Growth {
  mib: number;
  handles: number;
  tableKib: number;
}

const soak: Fault = {
  name: "soak",
  breaks: "nothing: ordinary load goes on and on (SOAK_SECONDS=3600 for an hour)",
  needs: ["linux"],
  run: (room) =>
    underLoad(room, {}, async (scene) => {
      const given = Number(process.env.SOAK_SECONDS);
      const seconds = given > 0 ? given : room.short ? SECONDS.short : SECONDS.whole;
      const grown = await watchGrowth(scene, seconds);
      const judgedMinutes = (seconds * (1 - WARM_UP_SHARE)) / 60;
      const over = (Object.keys(GROWTH_MAX) as Array<keyof Growth>).filter(
        (what) => grown[what] * judgedMinutes > GROWTH_MAX[what],
      );
      return {
        violations: over.map(
          (what) =>
            `${what} grows by ${grown[what].toFixed(1)} a minute, over ${GROWTH_MAX[what]} in ${judgedMinutes} minutes`,
        ),
        figure:
          `${seconds} s; beyond doubt a minute adds ${grown.mib.toFixed(1)} MiB and ${grown.handles.toFixed(1)} handles ` +
          `a server, ${grown.tableKib.toFixed(1)} KiB to the live sessions' table`,
      };
    }),
};

async function watchGrowth(scene: Scene, seconds: number): Promise<Growth> {
  const { servers, postgres } = scene;
  const mib = servers.map((): Sample[] => []);
  const handles = servers.map((): Sample[] => []);
  const tableKib: Sample[] = [];
  for (let second = 0; second < seconds; second++) {
    const at = second / 60;
    for (const [n, server] of servers.entries()) {
      mib[n]?.push({ at, value: residentMib(server.pid()) ?? 0 });
      handles[n]?.push({ at, value: openHandles(server.pid()) ?? 0 });
    }
    const [size] = await postgres.sql`SELECT pg_total_relation_size('active_sessions')::int AS bytes`;
    tableKib.push({ at, value: size?.bytes / 1024 });
    await scene.wait(1);
  }
  const grows = (samples: Sample[]) => surelyGrows(afterWarmUp(samples, WARM_UP_SHARE));
  return {
    mib: Math.max(...mib.map(grows)),
    handles: Math.max(...handles.map(grows)),
    tableKib: grows(tableKib),
  };
}

export const soakFaults = [soak];
