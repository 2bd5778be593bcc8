/** nginx before the servers, by the file that is shipped: only port, certificate and addresses are others. */
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePort } from "../../support/free-port.ts";
import type { Fault, FaultRoom } from "../fault.ts";
import type { Call } from "../load/call.ts";
import { underLoad } from "../scene/scene.ts";
import { listening, type Program, startProgram } from "./program.ts";

const SHIPPED = new URL("../../../scripts/deploy/nginx.conf", import.meta.url).pathname;

interface Nginx {
  url: string;
  program: Program;
}

async function startNginx(room: FaultRoom, servers: string[]): Promise<Nginx> {
  const port = await freePort();
  const ports = servers.map((url) => new URL(url).port);
  const site = readFileSync(SHIPPED, "utf8")
    .replace("127.0.0.1:3000", `127.0.0.1:${ports[0]}`)
    .replace("127.0.0.1:3001", `127.0.0.1:${ports[1]}`)
    .replace("listen 443 ssl http2", `listen 127.0.0.1:${port}`)
    .replace(/^\tssl_certificate.*$/gm, "");
  const file = join(room.folder, "nginx.conf");
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
    (name) => `${name}_temp_path ${join(room.folder, name)};`,
  );
  writeFileSync(
    file,
    `daemon off;\nuser root;\nworker_processes 2;\npid ${join(room.folder, "nginx.pid")};\nerror_log stderr warn;\n` +
      `events { worker_connections 1024; }\nhttp {\naccess_log off;\n${temporary.join("\n")}\n${site}\n}\n`,
  );
  const command = ["nginx", "-c", file, "-e", "stderr"];
  execFileSync(command[0] as string, [...command.slice(1), "-t"], { stdio: "pipe" });
  const program = startProgram(room.folder, "nginx", command, { env: { PATH: `${process.env.PATH}:/usr/sbin` } });
  await listening(port, "nginx");
  return { url: `http://127.0.0.1:${port}`, program };
}

const rollingRestart = (workers: string): Fault => ({
  name: workers === "1" ? "rolling-restart" : "rolling-restart-workers",
  breaks: `the servers behind nginx are restarted in turn by SIGTERM, six times, each of WORKERS=${workers}`,
  needs: ["nginx"],
  async run(room) {
    let nginx: Nginx | undefined;
    const away = {
      command: [],
      host: "127.0.0.1",
      async reach(urls: string[]) {
        nginx = await startNginx(room, urls);
        return urls.map(() => (nginx as Nginx).url);
      },
    };
    try {
      return await underLoad(room, { away, env: () => ({ WORKERS: workers }) }, async (scene) => {
        const from = performance.now();
        const codes: Array<number | null> = [];
        for (let restart = 0; restart < 6; restart++) {
          const server = scene.servers[restart % 2] as (typeof scene.servers)[number];
          codes.push(await server.stop("SIGTERM"));
          await server.start();
          await scene.wait(1);
        }
        const calls = scene.load.calls.filter(({ sentAt, operation }) => sentAt >= from && isOfDevice(operation));
        const unanswered = calls.filter(({ answer }) => answer.is === "unknown" || answer.is === "unexpected");
        const heartbeats = calls.filter(({ operation }) => operation === "heartbeat").length;
        return {
          figure: `of ${calls.length} calls, ${heartbeats} heartbeats among them, ${unanswered.length} without an answer of ours`,
          violations: [
            ...unanswered.map(
              (call) => `no answer of ours: ${call.operation} ${call.status} ${JSON.stringify(call.answer)}`,
            ),
            ...codes.filter((code) => code !== 0).map((code) => `a server ended with ${code} on SIGTERM`),
          ],
        };
      });
    } finally {
      await nginx?.program.stop("SIGTERM");
    }
  },
});

/** A stream ends with its server; it is opened again. */
const isOfDevice = (operation: Call["operation"]): boolean => operation !== "watch" && operation !== "kick";

export const nginxFaults: Fault[] = [rollingRestart("1"), rollingRestart("2")];
