/** PostgreSQL is killed, stopped, frozen, and its backends are terminated. */
import type { Fault } from "../fault.ts";
import { inSeconds } from "../scene/measure.ts";
import { underLoad } from "../scene/scene.ts";

const killPostgres: Fault = {
  name: "kill-postgres",
  breaks: "PostgreSQL is killed with -9, and recovers",
  run: (room) =>
    underLoad(room, {}, async (scene) => {
      const backMs: number[] = [];
      for (let kills = 0; kills < (room.short ? 1 : 3); kills++) {
        const { kill, start } = scene.postgres;
        backMs.push(
          (await scene.outage({ away: kill, seconds: kills === 1 ? 8 : 0, back: start, crash: true })).backMs,
        );
        await scene.wait(room.short ? 1 : 4);
      }
      return { figure: `both answer ${backMs.map(inSeconds).join(", ")} after its start` };
    }),
};

const stopPostgres: Fault = {
  name: "stop-postgres",
  breaks: "PostgreSQL is stopped for 60 s",
  run: (room) =>
    underLoad(room, {}, async (scene) => {
      const { stop, start } = scene.postgres;
      const { backMs } = await scene.outage({ away: stop, seconds: room.short ? 5 : 60, back: start });
      return { figure: `both answer ${inSeconds(backMs)} after its start` };
    }),
};

const freezePostgres: Fault = {
  name: "freeze-postgres",
  breaks: "PostgreSQL is frozen (SIGSTOP) for 20 s",
  run: (room) =>
    underLoad(room, {}, async (scene) => {
      const { freeze, thaw } = scene.postgres;
      const back = async () => thaw();
      const { backMs } = await scene.outage({ away: freeze, seconds: room.short ? 5 : 20, back });
      return { figure: `both answer ${inSeconds(backMs)} after its thaw` };
    }),
};

const terminateBackends: Fault = {
  name: "terminate-backends",
  breaks: "all of PostgreSQL's backends are terminated every 5 s",
  run: (room) =>
    underLoad(room, {}, async (scene) => {
      const backMs: number[] = [];
      for (let times = 0; times < (room.short ? 2 : 6); times++) {
        const terminatedAt = performance.now();
        await scene.postgres.sql`
          SELECT pg_terminate_backend(pid) FROM pg_stat_activity
          WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()`;
        backMs.push(await scene.backAfter(terminatedAt));
        await scene.wait(room.short ? 1 : 5 - (performance.now() - terminatedAt) / 1000);
      }
      return { figure: `both answer ${inSeconds(Math.max(...backMs))} later at most` };
    }),
};

export const postgresFaults: Fault[] = [killPostgres, stopPostgres, freezePostgres, terminateBackends];
