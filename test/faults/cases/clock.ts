/** The clock of the server processes is wrong. The database's decides alone (G5); how that one jumps is in database-clock.ts. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { StartReply } from "../../../src/sessions/device/contract.ts";
import type { Fault } from "../fault.ts";
import { fakedTime } from "../scene/jumping-postgres.ts";
import { type Scene, underLoad } from "../scene/scene.ts";
import type { ServerProcess } from "../scene/server.ts";

const HOUR_SECONDS = 3_600;

const clockOff: Fault = {
  name: "clock-off",
  breaks: "the clocks of the server processes jump an hour ahead and an hour back",
  needs: ["faketime"],
  run(room) {
    const file = (server: number) => join(room.folder, `clock-${server}`);
    const set = (server: number, seconds: number) =>
      writeFileSync(file(server), `${seconds < 0 ? "" : "+"}${seconds}s\n`);
    set(0, HOUR_SECONDS);
    set(1, 0);
    const env = (server: number) => fakedTime(file(server));
    return underLoad(room, { env }, async (scene) => {
      const violations: string[] = [];
      const steps: Array<[number, number]> = [
        [HOUR_SECONDS, HOUR_SECONDS],
        [-HOUR_SECONDS, HOUR_SECONDS],
        [HOUR_SECONDS, -HOUR_SECONDS],
      ];
      for (const off of steps) {
        for (const [server, seconds] of off.entries()) set(server, seconds);
        await scene.wait(room.short ? 1.5 : 4);
        for (const [server, seconds] of off.entries()) violations.push(...(await judgeServer(scene, server, seconds)));
      }
      return { figure: `${steps.length} jumps of each clock, by up to two hours`, violations };
    });
  },
};

/** That the clock is as wrong as it should be, and the answers are right all the same. */
async function judgeServer(scene: Scene, server: number, offSeconds: number): Promise<string[]> {
  const { url } = scene.servers[server] as ServerProcess;
  const live = await fetch(`${url}/health/live`);
  const seenSeconds = (Date.parse(String(live.headers.get("date"))) - Date.now()) / 1000;
  if (Math.abs(seenSeconds - offSeconds) > 3)
    return [`server ${server}'s clock is off by ${seenSeconds} s, not ${offSeconds} s`];

  const before = await databaseTime(scene);
  const reply = await fetch(`${url}/api/session/start`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ access_key: scene.spareKey.accessKey }),
  });
  const body = (await reply.json()) as StartReply;
  const after = await databaseTime(scene);
  const [serverTime, startedAt, expiresAt] = [body.server_time, body.started_at, body.expires_at].map(Date.parse) as [
    number,
    number,
    number,
  ];
  const right =
    reply.status === 200 &&
    serverTime >= Math.floor(before) &&
    serverTime <= after &&
    startedAt === serverTime &&
    expiresAt - serverTime === scene.circumstances.timeoutMs &&
    body.expires_in * 1000 === scene.circumstances.timeoutMs;
  return right
    ? []
    : [`a clock that is ${offSeconds} s off shows in an answer: ${JSON.stringify({ ...body, session_id: "" })}`];
}

async function databaseTime({ postgres }: Scene): Promise<number> {
  const [row] = await postgres.sql`SELECT (extract(epoch FROM clock_timestamp()) * 1000)::float8 AS at`;
  return row?.at;
}

export const clockFaults: Fault[] = [clockOff];
