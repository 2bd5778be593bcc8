/** The primary of a cluster goes: killed, or in turn. */
import type { Fault, FaultRoom, Finding, Need } from "../fault.ts";
import { inSeconds } from "../scene/measure.ts";
import { underLoad } from "../scene/scene.ts";
import { type PatroniCluster, startPatroni, TTL_SECONDS } from "./patroni.ts";

const needs: Need[] = ["patroni", "etcd", "haproxy", "postgresql server programs"];

/** Until both servers write again. Service in between does not matter: the outage begins with the loss. */
async function losePrimary(
  room: FaultRoom,
  lose: (cluster: PatroniCluster) => Promise<void>,
  { killed }: { killed: boolean },
): Promise<Finding> {
  return underLoad<PatroniCluster>(room, { database: startPatroni }, async (scene) => {
    const cluster = scene.postgres;
    const before = await cluster.primary();
    const lostFrom = performance.now();
    await lose(cluster);
    const from = performance.now();
    if (killed) scene.circumstances.crashes.push({ from: lostFrom, to: from });
    room.say(`${before} is no longer the primary`);
    const backMs = await scene.backAfter(from, (TTL_SECONDS + 40) * 1000);
    scene.circumstances.outages.push({ from, to: from + backMs });
    const after = await cluster.primary();
    await scene.wait(room.short ? 2 : 8);
    return {
      figure: `both write again ${inSeconds(backMs)} later`,
      violations: after === before ? ["the primary is the same as before"] : [],
    };
  });
}

const failover: Fault = {
  name: "patroni-failover",
  breaks: `the primary's host is killed with -9, the synchronous standby takes over (ttl ${TTL_SECONDS} s)`,
  needs,
  run: (room) => losePrimary(room, async (cluster) => cluster.killHost(await cluster.primary()), { killed: true }),
};

const switchover: Fault = {
  name: "patroni-switchover",
  breaks: "the primary hands over to the synchronous standby",
  needs,
  run: (room) => losePrimary(room, (cluster) => cluster.switchOver(), { killed: false }),
};

export const failoverFaults: Fault[] = [failover, switchover];
