import type { Logger } from "../log.ts";
import type { Database } from "./database.ts";

const TICK_MS = 1000;

/**
 * Says each second that this process serves, on the lane of the heartbeats: if that is stuck, nobody is served. By the
 * ticks the database knows an outage of ours from the silence of the devices (see session_cutoff in migrations/).
 * So a process that lets nobody in says nothing while it is so (`isShut`).
 * The first tick is made before this resolves, so that a gap is noticed before anybody is answered.
 */
export async function startTicking(
  database: Database,
  log: Logger,
  isShut: () => boolean = () => false,
): Promise<{ stop(): void }> {
  const tick = () => database.heartbeats.query((sql) => sql`SELECT tick_service()`);
  await tick();
  let underWay = false;
  const timer = setInterval(() => {
    if (underWay || isShut()) return;
    underWay = true;
    tick()
      .catch((err) => log.debug({ err }, "no tick"))
      .finally(() => {
        underWay = false;
      });
  }, TICK_MS);
  return { stop: () => clearInterval(timer) };
}
