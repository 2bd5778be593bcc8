/** What stands between the servers and PostgreSQL fails. */
import { type DatabaseProxy, startProxy } from "../../support/proxy.ts";
import type { Fault } from "../fault.ts";
import { inSeconds } from "../scene/measure.ts";
import { underLoad } from "../scene/scene.ts";

/** Of two servers with all their pools; without a bound there were thousands. */
const ATTEMPTS_MAX = 200;

const hangUp: Fault = {
  name: "hang-up",
  breaks: "the database accepts connections and hangs up at once",
  async run(room) {
    let proxy: DatabaseProxy | undefined;
    const between = async (url: string) => {
      proxy = await startProxy(url);
      return proxy;
    };
    return underLoad(room, { between }, async (scene) => {
      const { set, connections } = proxy as DatabaseProxy;
      let before = 0;
      let attempts = 0;
      const seconds = room.short ? 5 : 20;
      const { backMs } = await scene.outage({
        seconds,
        async away() {
          await set("hangup");
          before = connections();
        },
        async back() {
          attempts = Math.round((connections() - before) / seconds);
          await set("pass");
        },
      });
      const figure = `${attempts} connection attempts a second, both answer ${inSeconds(backMs)} after its return`;
      return { figure, violations: attempts <= ATTEMPTS_MAX ? [] : [`${attempts} connection attempts a second`] };
    });
  },
};

export const connectionFaults: Fault[] = [hangUp];
