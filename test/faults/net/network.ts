/** The servers stand on a host of their own, and the wire to it or from it to the database is bad. */
import type { Fault, FaultRoom, Finding } from "../fault.ts";
import { inSeconds, p99Ms } from "../scene/measure.ts";
import { openHandles } from "../scene/process-figures.ts";
import { type Scene, underLoad } from "../scene/scene.ts";
import type { Outcome } from "../scene/verdict.ts";
import { type Namespace, openNamespace } from "./namespace.ts";
import { type Relay, startRelay } from "./relay.ts";

/** One way; a round trip takes twice as long. */
const ONE_WAY_MS = 150;
const LOST_PERCENT = 5;

interface Wires {
  namespace: Namespace;
  /** Between the servers and the database. */
  database: Relay;
  /** Between the devices and the servers, one for each. */
  devices: Relay[];
}

async function acrossNetwork(
  room: FaultRoom,
  fault: (scene: Scene, wires: Wires) => Promise<Outcome>,
  where: "here" | "beyond" = "here",
): Promise<Finding> {
  const namespace = openNamespace();
  const devices: Relay[] = [];
  let database: Relay | undefined;
  try {
    const between = async (databaseUrl: string) => {
      const target = new URL(databaseUrl);
      const relay = await startRelay(namespace[where], { host: target.hostname, port: Number(target.port) });
      database = relay;
      target.host = `${namespace[where]}:${relay.port}`;
      return { url: target.href, close: relay.close };
    };
    const away = {
      command: namespace.command,
      host: namespace.there,
      async reach(urls: string[]) {
        for (const url of urls) {
          const { hostname, port } = new URL(url);
          devices.push(await startRelay("127.0.0.1", { host: hostname, port: Number(port) }));
        }
        return devices.map((relay) => `http://127.0.0.1:${relay.port}`);
      },
    };
    return await underLoad(room, { between, away }, (scene) =>
      fault(scene, { namespace, database: database as Relay, devices }),
    );
  } finally {
    for (const relay of devices) await relay.close();
    await namespace.close();
  }
}

const blackHole: Fault = {
  name: "black-hole",
  breaks: "every packet between servers and database is dropped, without a reset",
  needs: ["network namespaces", "nftables"],
  run: (room) =>
    acrossNetwork(room, async (scene, { namespace, database }) => {
      const { backMs } = await scene.outage({
        seconds: room.short ? 6 : 20,
        away: async () => namespace.lose([database.port], 100),
        back: async () => namespace.lose([database.port], 0),
      });
      return { figure: `both answer ${inSeconds(backMs)} after the packets pass again` };
    }),
};

/** connect(2) itself fails then, before anybody could listen to the socket. */
const routeGone = (kind: "none" | "unreachable" | "prohibit" | "blackhole"): Fault => ({
  name: `route-${kind}`,
  breaks: `the route to the database's address is gone (${kind}), and its connections break`,
  needs: ["network namespaces"],
  run: (room) =>
    acrossNetwork(
      room,
      async (scene, { namespace, database }) => {
        const from = performance.now();
        const { backMs } = await scene.outage({
          seconds: room.short ? 6 : 15,
          away: async () => {
            namespace.route(kind);
            database.cut();
          },
          back: async () => namespace.route("right"),
        });
        const beats = scene.load.calls.filter(
          ({ operation, sentAt }) => operation === "heartbeat" && sentAt > from && sentAt < performance.now() - backMs,
        );
        const refused = beats.filter(({ answer }) => answer.is === "unknown" && answer.why === "503").length;
        const ended = scene.servers.filter((server) => openHandles(server.pid()) === undefined);
        return {
          figure: `of ${beats.length} heartbeats meanwhile ${refused} got 503; both answer ${inSeconds(backMs)} after it is back`,
          violations: ended.map(() => "a server has ended"),
        };
      },
      "beyond",
    ),
});

/** Calls sent while the wire was bad, and what became of them. */
async function measureBadWire(scene: Scene, namespace: Namespace, seconds: number): Promise<string> {
  const from = performance.now();
  await scene.wait(seconds);
  const calls = scene.load.calls.filter((call) => call.sentAt >= from && call.operation !== "watch");
  const beats = calls.filter(({ operation, answer }) => operation === "heartbeat" && answer.is === "live").length;
  const unknown = calls.filter(({ answer }) => answer.is === "unknown").length;
  const share = ((100 * unknown) / Math.max(1, calls.length)).toFixed(1);
  const sorted = calls.map((call) => call.answeredAt - call.sentAt).sort((a, b) => a - b);
  const p50 = Math.round(sorted[Math.floor(sorted.length / 2)] ?? 0);
  const lost = namespace.lost();
  return (
    `${Math.round(beats / seconds)} heartbeats a second, calls p50 ${p50} ms, p99 ${Math.round(p99Ms(calls))} ms, ` +
    `${share} % unknown, ${lost} packets lost`
  );
}

const lossyDatabase: Fault = {
  name: "lossy-database",
  breaks: "5 % of the packets between servers and database are lost, and a round trip takes 300 ms longer",
  needs: ["network namespaces", "nftables"],
  run: (room) =>
    acrossNetwork(room, async (scene, { namespace, database }) => {
      namespace.lose([database.port], LOST_PERCENT);
      database.delay(ONE_WAY_MS);
      const figure = await measureBadWire(scene, namespace, room.short ? 8 : 30);
      namespace.lose([database.port], 0);
      database.delay(0);
      return { figure };
    }),
};

const lossyDevices: Fault = {
  name: "lossy-devices",
  breaks: "5 % of the packets between devices and servers are lost, and a round trip takes 300 ms longer",
  needs: ["network namespaces", "nftables"],
  run: (room) =>
    acrossNetwork(room, async (scene, { namespace, devices }) => {
      const ports = scene.servers.map((server) => Number(new URL(server.url).port));
      namespace.lose(ports, LOST_PERCENT);
      for (const relay of devices) relay.delay(ONE_WAY_MS);
      const figure = await measureBadWire(scene, namespace, room.short ? 8 : 30);
      namespace.lose(ports, 0);
      for (const relay of devices) relay.delay(0);
      return { figure, slowWay: true };
    }),
};

export const networkFaults: Fault[] = [
  blackHole,
  ...(["none", "unreachable", "prohibit", "blackhole"] as const).map(routeGone),
  lossyDatabase,
  lossyDevices,
];
