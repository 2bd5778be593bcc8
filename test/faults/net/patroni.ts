/**
 * A cluster under Patroni's care: two PostgreSQL 15, the standby synchronous, one etcd, and HAProxy, which asks Patroni
 * who is the primary. A "host" is Patroni with its PostgreSQL.
 *
 *   servers ► HAProxy ► the primary ═ synchronous replication ═ the standby
 *                └── asks ──► Patroni, Patroni ──► etcd
 */
import { chownSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { chooseRunAs } from "../../../src/database/embedded/run-as.ts";
import { freePort } from "../../support/free-port.ts";
import type { FaultRoom } from "../fault.ts";
import { connect, type DatabaseServer } from "../scene/postgres.ts";
import { listening, type Program, startProgram } from "./program.ts";

export const POSTGRES_PROGRAMS = "/usr/lib/postgresql/15/bin";
const PASSWORD = "of-a-fault";
/** Patroni's minimum: a leader that does not renew the lock for that long has lost it. */
export const TTL_SECONDS = 20;

export interface PatroniCluster extends DatabaseServer {
  /** The name of the member that has the lock. */
  primary(): Promise<string>;
  /** Kills a whole host with -9: Patroni and every process of its PostgreSQL. */
  killHost(name: string): Promise<void>;
  /** Requests a switchover, as an operator does before maintenance. */
  switchOver(): Promise<void>;
}

interface Member {
  name: string;
  folder: string;
  port: number;
  api: number;
  program: Program | undefined;
}

export async function startPatroni(room: FaultRoom): Promise<PatroniCluster> {
  const { owner } = await chooseRunAs();
  const own = (path: string) => owner && chownSync(path, owner.uid, owner.gid);
  const undo: Array<() => Promise<unknown>> = [];
  const close = async () => {
    for (const step of undo.reverse()) await step();
  };
  try {
    own(room.folder);
    const etcd = await startEtcd(room, owner);
    undo.push(() => etcd.program.stop("SIGKILL"));
    const members = await Promise.all(["one", "two"].map((name) => prepareMember(room, name, etcd.port, own)));
    for (const member of members) {
      const env = { PATH: `${POSTGRES_PROGRAMS}:${process.env.PATH}`, PGPASSFILE: join(member.folder, "pgpass") };
      const command = ["patroni", join(room.folder, `${member.name}.yml`)];
      member.program = startProgram(room.folder, `patroni-${member.name}`, command, { ...owner, env });
      undo.push(() => endHost(member, "SIGKILL"));
    }
    room.say("a cluster of two comes up");
    await untilPaired(members, room.signal);
    const balancer = await startBalancer(room, members);
    undo.push(() => balancer.program.stop("SIGTERM"));

    const server = `postgres://postgres:${PASSWORD}@127.0.0.1:${balancer.port}`;
    const admin = connect(`${server}/postgres`, 1);
    await admin.unsafe("CREATE DATABASE keybeat");
    await admin.end();
    const url = `${server}/keybeat`;
    const sql = connect(url);
    undo.push(() => sql.end({ timeout: 1 }));
    return { url, sql, close, ...steer(members) };
  } catch (error) {
    await close();
    throw error;
  }
}

function steer(members: Member[]) {
  const primary = async () => {
    for (const member of members) if ((await ask(member, "/primary")) === 200) return member.name;
    throw new Error("there is no primary just now");
  };
  return {
    primary,
    async killHost(name: string) {
      await endHost(members.find((member) => member.name === name) as Member, "SIGKILL");
    },
    async switchOver() {
      const leader = await primary();
      const candidate = members.find((member) => member.name !== leader) as Member;
      const response = await fetch(`http://127.0.0.1:${candidate.api}/switchover`, {
        method: "POST",
        body: JSON.stringify({ leader, candidate: candidate.name }),
      });
      if (!response.ok) throw new Error(`no switchover: ${response.status} ${await response.text()}`);
    },
  };
}

type Owner = Awaited<ReturnType<typeof chooseRunAs>>["owner"];

async function startEtcd(room: FaultRoom, owner: Owner): Promise<{ program: Program; port: number }> {
  const [port, peer] = [await freePort(), await freePort()];
  const at = (n: number) => `http://127.0.0.1:${n}`;
  const program = startProgram(
    room.folder,
    "etcd",
    [
      ...["etcd", "--name", "one", "--data-dir", join(room.folder, "etcd")],
      ...["--listen-client-urls", at(port), "--advertise-client-urls", at(port)],
      ...["--listen-peer-urls", at(peer), "--initial-advertise-peer-urls", at(peer)],
      ...["--initial-cluster", `one=${at(peer)}`],
    ],
    { ...owner },
  );
  await listening(port, "etcd");
  return { program, port };
}

async function prepareMember(
  room: FaultRoom,
  name: string,
  etcd: number,
  own: (path: string) => void,
): Promise<Member> {
  const member = { name, folder: join(room.folder, name), port: await freePort(), api: await freePort() };
  mkdirSync(member.folder, { mode: 0o700 });
  own(member.folder);
  const login = (username: string) => ({ username, password: PASSWORD });
  // JSON is YAML as well.
  const settings = {
    scope: "keybeat",
    name,
    restapi: { listen: `127.0.0.1:${member.api}`, connect_address: `127.0.0.1:${member.api}` },
    etcd3: { host: `127.0.0.1:${etcd}` },
    bootstrap: {
      dcs: {
        ttl: TTL_SECONDS,
        loop_wait: 2,
        retry_timeout: 5,
        maximum_lag_on_failover: 1_048_576,
        synchronous_mode: true,
        postgresql: { use_pg_rewind: false, parameters: { max_connections: 200, wal_keep_size: "256MB" } },
      },
      initdb: [{ encoding: "UTF8" }, { locale: "C" }, "data-checksums"],
    },
    postgresql: {
      listen: `127.0.0.1:${member.port}`,
      connect_address: `127.0.0.1:${member.port}`,
      data_dir: join(member.folder, "data"),
      bin_dir: POSTGRES_PROGRAMS,
      pgpass: join(member.folder, "pgpass"),
      authentication: { superuser: login("postgres"), replication: login("replicator") },
      parameters: { unix_socket_directories: member.folder },
      pg_hba: ["local all all trust", "host all all 127.0.0.1/32 md5", "host replication replicator 127.0.0.1/32 md5"],
    },
  };
  const file = join(room.folder, `${name}.yml`);
  writeFileSync(file, JSON.stringify(settings), { mode: 0o600 });
  own(file);
  return { ...member, program: undefined };
}

/** Both run, and the standby is synchronous. */
async function untilPaired(members: Member[], signal: AbortSignal): Promise<void> {
  for (let tries = 0; tries < 600; tries++) {
    signal.throwIfAborted();
    for (const member of members) if ((await ask(member, "/sync")) === 200) return;
    await sleep(100);
  }
  throw new Error("the cluster did not come up");
}

/** The status of Patroni's answer; 0 if there is none. */
async function ask(member: Member, path: string): Promise<number> {
  const url = `http://127.0.0.1:${member.api}${path}`;
  return fetch(url, { signal: AbortSignal.timeout(1000) }).then(
    (response) => response.status,
    () => 0,
  );
}

async function startBalancer(room: FaultRoom, members: Member[]): Promise<{ program: Program; port: number }> {
  const port = await freePort();
  const file = join(room.folder, "haproxy.cfg");
  const lines = [
    "global",
    "  maxconn 1000",
    "defaults",
    "  mode tcp",
    "  timeout connect 1s",
    "  timeout client 1h",
    "  timeout server 1h",
    "listen postgresql",
    `  bind 127.0.0.1:${port}`,
    "  option httpchk OPTIONS /primary",
    "  http-check expect status 200",
    "  default-server inter 500ms fall 2 rise 1 on-marked-down shutdown-sessions",
    ...members.map(({ name, port: at, api }) => `  server ${name} 127.0.0.1:${at} check port ${api}`),
  ];
  writeFileSync(file, `${lines.join("\n")}\n`);
  const program = startProgram(room.folder, "haproxy", ["haproxy", "-db", "-f", file]);
  await listening(port, "HAProxy");
  // HAProxy takes both for the primary until it has asked them.
  for (let tries = 0, right = 0; right < 6; tries++) {
    if (tries === 200) throw new Error("HAProxy does not find the primary");
    const sql = connect(`postgres://postgres:${PASSWORD}@127.0.0.1:${port}/postgres`, 1);
    const primary = await sql`SELECT pg_is_in_recovery() AS standby`.then(
      ([row]) => row?.standby === false,
      () => false,
    );
    right = primary ? right + 1 : 0;
    await sql.end({ timeout: 1 });
    await sleep(50);
  }
  return { program, port };
}

/** Patroni first, or it would start its PostgreSQL again; then the postmaster, whose children follow it. */
async function endHost(member: Member, signal: NodeJS.Signals): Promise<void> {
  await member.program?.stop(signal);
  const file = join(member.folder, "data", "postmaster.pid");
  if (!existsSync(file)) return;
  const postmaster = Number(readFileSync(file, "utf8").split("\n")[0]);
  try {
    process.kill(postmaster, signal);
    while (process.kill(postmaster, 0)) await sleep(20);
  } catch {
    // it is gone
  }
}
