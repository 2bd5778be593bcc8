/** Descriptors run out: strangers hold connections, or the limit itself falls. */
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { connect, type Socket } from "node:net";
import type { Fault, Need } from "../fault.ts";
import type { Call } from "../load/call.ts";
import { inSeconds, longestTroubleMs } from "../scene/measure.ts";
import { openHandles } from "../scene/process-figures.ts";
import { type Scene, underLoad } from "../scene/scene.ts";
import type { Away, ServerProcess } from "../scene/server.ts";

const needs: Need[] = ["linux"];
/** Fewer than these Node.js needs for a moment to read the modules at its start. */
const FILES = 340;
const STRANGERS = 315;
/** A device that asks again must have got through by then. */
const TROUBLE_MS_MAX = 3_000;

const limited: Away = {
  command: ["prlimit", `--nofile=${FILES}:${FILES}`],
  host: "127.0.0.1",
  reach: async (urls) => urls,
};

const strangers: Fault = {
  name: "idle-strangers",
  breaks: `${STRANGERS} strangers hold a connection to each server, kept by a heartbeat, and it may open ${FILES} files`,
  needs,
  run: (room) =>
    underLoad(room, { away: limited, keys: 20 }, async (scene) => {
      const from = performance.now();
      const held = await Promise.all(scene.servers.map((server) => comeAsStrangers(server.url)));
      await scene.wait(room.short ? 6 : 20);
      const during = callsBetween(scene, from);
      for (const socket of held.flat()) socket.destroy();
      const said = scene.servers.filter((server) =>
        server.output().includes("as many connections as this process may hold"),
      );
      return {
        figure: tell(during),
        violations: [
          ...scene.servers.filter((server) => !isRunning(server.pid())).map(() => "a server has ended"),
          ...(said.length === scene.servers.length ? [] : ["a server has not said what is short"]),
          ...(longestTroubleMs(during) <= TROUBLE_MS_MAX ? [] : ["a device did not get through"]),
        ],
      };
    }),
};

/** Each sends one plain heartbeat and stays. A closed one does not return. */
async function comeAsStrangers(url: string): Promise<Socket[]> {
  const body = '{"session_id":"nobody-of-yours-00000"}';
  const beat = `POST /api/session/heartbeat HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
  const sockets: Socket[] = [];
  for (let n = 0; n < STRANGERS; n++) {
    const socket = connect(Number(new URL(url).port), "127.0.0.1");
    sockets.push(socket.on("error", () => {}).resume());
    await new Promise((resolve) => socket.once("connect", resolve).once("close", resolve));
    socket.write(beat);
  }
  return sockets;
}

/** No file, no connection in and none to the database, for both servers; all connections to the database break. */
const usedUp = (name: string, how: string, host: string): Fault => ({
  name,
  breaks: `both servers can open no file any more, and lose their connections to the database, which is known by ${how}`,
  needs,
  run: (room) =>
    underLoad(
      room,
      { between: async (url) => ({ url: withHost(url, host), close: async () => {} }) },
      async (scene) => {
        const pids = scene.servers.map((server) => server.pid());
        const from = performance.now();
        const { backMs } = await scene.outage({
          seconds: room.short ? 6 : 15,
          away: async () => {
            for (const pid of pids) takeFiles(pid);
            await scene.postgres.sql`
            SELECT pg_terminate_backend(pid, 1000) FROM pg_stat_activity WHERE application_name LIKE 'keybeat %'`;
          },
          back: async () => {
            for (const pid of pids) limitFiles(pid, 10_000);
          },
        });
        return {
          figure: `${tell(callsBetween(scene, from, performance.now() - backMs))}; both answer ${inSeconds(backMs)} after it is over`,
          // The kernel queues connections that nobody can accept, and retries after 1 and 3 s.
          slowWay: true,
          violations: [...sameProcesses(scene, pids), ...saidOnce(scene.servers)],
        };
      },
    ),
});

const acceptFails: Fault = {
  name: "accept-fails",
  breaks: "one of two servers can accept no connection any more; those that it has go on",
  needs,
  run: (room) =>
    underLoad(room, {}, async (scene) => {
      const pids = scene.servers.map((server) => server.pid());
      const [server] = scene.servers as [ServerProcess];
      const from = performance.now();
      takeFiles(server.pid());
      let answered = 0;
      const tries = room.short ? 20 : 60;
      for (let n = 0; n < tries; n++) {
        if ((await ask(`${server.url}/health/live`)) !== undefined) answered++;
        await scene.wait(0.25);
      }
      const during = callsBetween(scene, from);
      limitFiles(server.pid(), 10_000);
      const backMs = await scene.backAfter(performance.now());
      return {
        figure: `${tell(during)}; it answers ${inSeconds(backMs)} after it is over`,
        violations: [
          ...sameProcesses(scene, pids),
          ...saidOnce([server]),
          // One or two may still find the number of a file that was closed meanwhile.
          ...(answered < tries / 4 ? [] : [`${answered} new connections were answered: hardly anything was broken`]),
        ],
      };
    }),
};

const noFork: Fault = {
  name: "no-fork",
  breaks: "a worker of a server with WORKERS=2 is killed with -9, and no other can be forked for a while",
  needs,
  run: (room) =>
    underLoad(room, { env: () => ({ WORKERS: "2" }) }, async (scene) => {
      const pids = scene.servers.map((server) => server.pid());
      const [server] = scene.servers as [ServerProcess];
      const from = performance.now();
      takeFiles(server.pid());
      process.kill(childrenOf(server.pid())[0] as number, "SIGKILL");
      await scene.wait(room.short ? 5 : 15);
      const during = callsBetween(scene, from);
      limitFiles(server.pid(), 10_000);
      const raisedAt = performance.now();
      while (childrenOf(server.pid()).length < 2) {
        if (performance.now() - raisedAt > 15_000) return { figure: "", violations: ["no other worker was started"] };
        await scene.wait(0.1);
      }
      const again = inSeconds(performance.now() - raisedAt);
      const tries = server.output().split("a worker cannot be forked").length - 1;
      return {
        figure: `${tell(during)}; ${tries} tries, another worker ${again} after it could be`,
        violations: [
          ...sameProcesses(scene, pids),
          ...(tries > 0 ? [] : ["it could be forked, so nothing was broken"]),
        ],
      };
    }),
};

/**
 * Takes every descriptor that it could still be given. What Node keeps in reserve stays, by which it accepts and closes at once
 * where nothing else is left; it is from before the first connection, and so has a lower number than all of these.
 */
function takeFiles(pid: number): void {
  const spare = () =>
    readdirSync(`/proc/${pid}/fd`)
      .filter((fd) => readLink(`/proc/${pid}/fd/${fd}`) === "/dev/null")
      .map(Number);
  const [first, second] = [Math.max(...spare()), Math.max(...spare())];
  limitFiles(pid, Math.min(first, second) + 1);
}

function readLink(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined; // closed meanwhile
  }
}

/** The limit of a process that runs, soft only. What it has open stays open. */
function limitFiles(pid: number, files: number): void {
  execFileSync("prlimit", ["--pid", String(pid), `--nofile=${files}:`]);
}

const withHost = (url: string, host: string): string => {
  const target = new URL(url);
  target.hostname = host;
  return target.href;
};

const callsBetween = (scene: Scene, from: number, to = performance.now()): Call[] =>
  scene.load.calls.filter(({ sentAt, operation }) => operation === "heartbeat" && sentAt >= from && sentAt < to);

const isServed = ({ answer }: Call): boolean => answer.is !== "unknown";

/** How the heartbeats fared. */
function tell(calls: Call[]): string {
  const count = (is: (call: Call) => boolean) => calls.filter(is).length;
  const why = (reason: string) => count(({ answer }) => answer.is === "unknown" && answer.why === reason);
  return `of ${calls.length} heartbeats ${count(isServed)} served, ${why("503")} 503, ${why("cut")} refused or cut, ${why("timeout")} late`;
}

const sameProcesses = (scene: Scene, pids: number[]): string[] =>
  scene.servers.flatMap((server, at) =>
    server.pid() === pids[at] && isRunning(server.pid()) ? [] : [`server ${at} has ended`],
  );

/** Said, and not with every call. */
function saidOnce(servers: ServerProcess[]): string[] {
  return servers.flatMap((server, at) => {
    const lines = server.output().split("no file or connection can be opened any more").length - 1;
    return lines === 1 ? [] : [`server ${at} said ${lines} times what is short`];
  });
}

const isRunning = (pid: number): boolean => openHandles(pid) !== undefined;

function childrenOf(pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ").map(Number);
}

async function ask(url: string): Promise<number | undefined> {
  const response = await fetch(url, { signal: AbortSignal.timeout(2000), headers: { Connection: "close" } }).catch(
    () => undefined,
  );
  await response?.text();
  return response?.status;
}

export const descriptorFaults: Fault[] = [
  strangers,
  usedUp("no-descriptors", "its address", "127.0.0.1"),
  usedUp("no-descriptors-by-name", "its name", "localhost"),
  acceptFails,
  noFork,
];
