/** Server processes are killed and restarted. */
import { readFileSync } from "node:fs";
import type { Fault } from "../fault.ts";
import { inSeconds, longestTroubleMs } from "../scene/measure.ts";
import { type Scene, underLoad } from "../scene/scene.ts";
import type { ServerProcess } from "../scene/server.ts";

/** A device that asks again at the other server must not notice much of one that restarts. */
const TROUBLE_MS_MAX = 3_000;

const killServer: Fault = {
  name: "kill-server",
  breaks: "one of two server processes is killed with -9, and restarted",
  run: (room) =>
    underLoad(room, {}, async (scene) => {
      const [server] = scene.servers as [ServerProcess];
      await server.stop("SIGKILL");
      await scene.wait(room.short ? 3 : 10);
      const mendedAt = performance.now();
      await server.start();
      const back = inSeconds(await scene.backAfter(mendedAt));
      return { figure: `both answer ${back} after its restart; ${trouble(scene)}`, violations: noTrouble(scene) };
    }),
};

const killAllServers: Fault = {
  name: "kill-all-servers",
  breaks: "all server processes are killed with -9, and restarted",
  run: (room) =>
    underLoad(room, {}, async (scene) => {
      const { backMs } = await scene.outage({
        away: () => Promise.all(scene.servers.map((server) => server.stop("SIGKILL"))),
        seconds: room.short ? 5 : 15,
        back: () => Promise.all(scene.servers.map((server) => server.start())),
      });
      return { figure: `both answer ${inSeconds(backMs)} after their restart` };
    }),
};

const restartInTurn: Fault = {
  name: "restart-in-turn",
  breaks: "the servers are restarted in turn by SIGTERM, as for an upgrade",
  run: (room) =>
    underLoad(room, {}, async (scene) => {
      const codes: Array<number | null> = [];
      for (let round = 0; round < (room.short ? 1 : 3); round++) {
        for (const server of scene.servers) {
          codes.push(await server.stop("SIGTERM"));
          const startedAt = performance.now();
          await server.start();
          await scene.backAfter(startedAt);
        }
      }
      const wrong = codes.filter((code) => code !== 0).map((code) => `a server ended with ${code} on SIGTERM`);
      return { figure: `${codes.length} restarts; ${trouble(scene)}`, violations: [...wrong, ...noTrouble(scene)] };
    }),
};

const killWorker: Fault = {
  name: "kill-worker",
  breaks: "a worker of a server with WORKERS=2 is killed with -9, and its primary starts another",
  needs: ["linux"],
  run: (room) =>
    underLoad(room, { env: () => ({ WORKERS: "2" }) }, async (scene) => {
      const [server] = scene.servers as [ServerProcess];
      const before = childrenOf(server.pid());
      let slowestMs = 0;
      for (let kills = 0; kills < (room.short ? 1 : 3); kills++) {
        const killedAt = performance.now();
        process.kill(childrenOf(server.pid())[0] as number, "SIGKILL");
        while (childrenOf(server.pid()).length < before.length || childrenOf(server.pid()).join() === before.join()) {
          if (performance.now() - killedAt > 10_000) return { figure: "", violations: ["no other worker was started"] };
          await scene.wait(0.05);
        }
        slowestMs = Math.max(slowestMs, performance.now() - killedAt);
        await scene.wait(1);
      }
      const figure = `another worker after ${inSeconds(slowestMs)}; ${trouble(scene)}`;
      return { figure, violations: noTrouble(scene) };
    }),
};

const trouble = ({ load }: Scene): string =>
  `a call asked again for ${inSeconds(longestTroubleMs(load.calls))} at most`;

function noTrouble({ load }: Scene): string[] {
  const longest = longestTroubleMs(load.calls);
  return longest <= TROUBLE_MS_MAX
    ? []
    : [`a call had to be asked again for ${inSeconds(longest)}, beside a server that runs`];
}

function childrenOf(pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ").map(Number);
}

export const serverFaults: Fault[] = [killServer, killAllServers, restartInTurn, killWorker];
