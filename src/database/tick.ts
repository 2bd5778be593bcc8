import type { Logger } from "../log.ts";
import type { Database } from "./database.ts";

const TICK_MS = 1000;
const FIRST_TRIES = 5;

/**
 * Says each second that this process serves, on the lane of the heartbeats: if that is stuck, nobody is served. By the
 * ticks the database knows an outage of ours from the silence of the devices (see session_cutoff in migrations/).
 * The first tick is made before this resolves, so that a gap is noticed before anybody is answered.
 */
export async function startTicking(database: Database, log: Logger): Promise<{ stop(): void }> {
  const tick = () => database.heartbeats.query((sql) => sql`SELECT tick_service()`);
  // On a host that has just come up everything is slow once.
  for (let tries = 1; ; tries++) {
    const ticked = await tick().then(
      () => true,
      (error) => {
        if (tries === FIRST_TRIES) throw error;
        return false;
      },
    );
    if (ticked) break;
  }
  let underWay = false;
  const timer = setInterval(() => {
    if (underWay) return;
    underWay = true;
    tick()
      .catch((err) => log.debug({ err }, "no tick"))
      .finally(() => {
        underWay = false;
      });
  }, TICK_MS);
  return { stop: () => clearInterval(timer) };
}
