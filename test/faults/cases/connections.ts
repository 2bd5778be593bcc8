/** Trouble between the servers and PostgreSQL. */
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

/** The firewall's whole connection table. Each lane of each server may find out once. */
const DARK_ANSWERS_MAX = 10;

const goDark: Fault = {
  name: "dark-connections",
  breaks: "every connection to the database goes dark at once, and new ones work",
  async run(room) {
    let proxy: DatabaseProxy | undefined;
    const between = async (url: string) => {
      proxy = await startProxy(url);
      return proxy;
    };
    return underLoad(room, { between }, async (scene) => {
      const from = performance.now();
      proxy?.darken();
      const health: number[] = [];
      for (let n = 0; n < 10; n++) {
        health.push(await fetch(`${scene.servers[0]?.url}/health`).then((reply) => reply.status));
      }
      const tookMs = performance.now() - from;
      await scene.wait(room.short ? 4 : 10);
      const broken = health.filter((status) => status !== 200).length;
      const lateCalls = scene.load.calls.filter((call) => call.sentAt > from + 6_000 && call.answer.is === "unknown");
      await proxy?.set("pass"); // ends what PostgreSQL still waits for on the dark ones
      return {
        figure: `${broken} of 10 /health in a row were 503, all in ${inSeconds(tookMs)}`,
        violations: [
          // One that finds it out; and one whose connection was in use just before, which looks alive for longer.
          ...(broken <= 2 ? [] : [`${broken} of 10 /health in a row were 503`]),
          ...(lateCalls.length <= DARK_ANSWERS_MAX ? [] : [`${lateCalls.length} calls unanswered 6 s after`]),
        ],
      };
    });
  },
};

export const connectionFaults: Fault[] = [hangUp, goDark];
