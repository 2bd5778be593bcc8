/** A PostgreSQL whose clock jumps while it runs: Debian's, under libfaketime, which reads from a file how far it is off. */
import { execFileSync } from "node:child_process";
import { chownSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { chooseRunAs } from "../../../src/database/embedded/run-as.ts";
import { freePort } from "../../support/free-port.ts";
import type { FaultRoom } from "../fault.ts";
import { POSTGRES_PROGRAMS } from "../net/patroni.ts";
import { listening, startProgram } from "../net/program.ts";
import { connect, type DatabaseServer } from "./postgres.ts";

export interface JumpingPostgres extends DatabaseServer {
  /** Sets its clock that far ahead of ours, or behind, from now on. */
  setClock(offSeconds: number): void;
}

export async function startJumpingPostgres(room: FaultRoom): Promise<JumpingPostgres> {
  const { owner } = await chooseRunAs();
  if (owner) chownSync(room.folder, owner.uid, owner.gid);
  const data = join(room.folder, "data");
  const file = join(room.folder, "clock");
  const setClock = (seconds: number) => writeFileSync(file, `${seconds < 0 ? "" : "+"}${seconds}s\n`);
  setClock(0);
  const made = ["-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C"];
  execFileSync(join(POSTGRES_PROGRAMS, "initdb"), made, { ...owner, cwd: "/", stdio: "ignore" });
  const port = await freePort();
  const program = startProgram(
    room.folder,
    "postgres",
    [
      ...[join(POSTGRES_PROGRAMS, "postgres"), "-D", data, "-p", String(port), "-c", "listen_addresses=127.0.0.1"],
      ...["-c", `unix_socket_directories=${room.folder}`, "-c", "max_connections=200"],
    ],
    { ...owner, env: fakedTime(file) },
  );
  await listening(port, "PostgreSQL");
  const server = `postgres://postgres@127.0.0.1:${port}`;
  const admin = connect(`${server}/postgres`, 1);
  // It listens before it is ready.
  for (let tries = 0; ; tries++) {
    const refused = await admin.unsafe("CREATE DATABASE keybeat").then(
      () => null,
      (error) => error,
    );
    if (refused === null) break;
    if (tries === 100 || refused.code !== "57P03") throw refused;
    await sleep(100);
  }
  await admin.end();
  const url = `${server}/keybeat`;
  const sql = connect(url);
  return {
    url,
    sql,
    setClock,
    async close() {
      await sql.end({ timeout: 1 });
      await program.stop("SIGINT");
    },
  };
}

/** The monotonic clock is left alone, as when a wall clock is set. */
export function fakedTime(file: string): Record<string, string> {
  const library = execFileSync("faketime", ["-m", "-f", "+0", "printenv", "LD_PRELOAD"], { encoding: "utf8" }).trim();
  return {
    LD_PRELOAD: library,
    FAKETIME_NO_CACHE: "1",
    FAKETIME_DONT_FAKE_MONOTONIC: "1",
    FAKETIME_TIMESTAMP_FILE: file,
  };
}
