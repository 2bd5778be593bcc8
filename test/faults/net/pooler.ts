/** PgBouncer between the servers and the database. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePort } from "../../support/free-port.ts";
import type { Fault, FaultRoom } from "../fault.ts";
import { inSeconds } from "../scene/measure.ts";
import { underLoad } from "../scene/scene.ts";
import { listening, type Program, startProgram } from "./program.ts";

const POOL_SIZE = 2;

interface Pooler {
  /** Keybeat's database through it. */
  url: string;
  restart(): Promise<void>;
  close(): Promise<void>;
}

/** In transaction mode, with no more than two connections to the database for all. */
async function startPooler(room: FaultRoom, databaseUrl: string): Promise<Pooler> {
  const target = new URL(databaseUrl);
  const port = await freePort();
  const file = join(room.folder, "pgbouncer.ini");
  const line = `host=${target.hostname} port=${target.port} user=${target.username} password=${target.password}`;
  const settings = [
    "[databases]",
    `keybeat = dbname=${target.pathname.slice(1)} ${line}`,
    "[pgbouncer]",
    ...["listen_addr = 127.0.0.1", `listen_port = ${port}`, "unix_socket_dir =", "auth_type = any"],
    ...["pool_mode = transaction", `default_pool_size = ${POOL_SIZE}`, "max_client_conn = 500"],
  ];
  writeFileSync(file, `${settings.join("\n")}\n`, { mode: 0o644 });
  // It refuses to be root, and reads its settings before it becomes somebody else.
  const user = process.getuid?.() === 0 ? ["-u", "nobody"] : [];
  let program: Program;
  const start = async () => {
    program = startProgram(room.folder, "pgbouncer", ["pgbouncer", ...user, file]);
    await listening(port, "PgBouncer");
  };
  await start();
  return {
    url: `postgres://keybeat@127.0.0.1:${port}/keybeat?prepare=false`,
    async restart() {
      await program.stop("SIGKILL");
      await start();
    },
    close: () => program.stop("SIGTERM"),
  };
}

const pgbouncer: Fault = {
  name: "pgbouncer",
  breaks: "PgBouncer in transaction mode with a pool of 2, killed and restarted midway",
  needs: ["pgbouncer"],
  run(room) {
    let pooler: Pooler | undefined;
    const between = async (url: string) => {
      pooler = await startPooler(room, url);
      return pooler;
    };
    return underLoad(room, { between }, async (scene) => {
      const backMs: number[] = [];
      for (let times = 0; times < (room.short ? 1 : 3); times++) {
        await scene.wait(room.short ? 2 : 5);
        const restartedAt = performance.now();
        await pooler?.restart();
        backMs.push(await scene.backAfter(restartedAt));
      }
      await scene.wait(room.short ? 2 : 5);
      return { figure: `both answer ${backMs.map(inSeconds).join(", ")} after the kill` };
    });
  },
};

export const poolerFaults: Fault[] = [pgbouncer];
