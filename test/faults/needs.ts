/** Whether the machine has what a fault needs, and how to install what is missing. */
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { Need } from "./fault.ts";

const HOW: Record<Need, { isThere(): boolean; get: string }> = {
  linux: { isThere: () => process.platform === "linux", get: "what a process takes is read from /proc" },
  "network namespaces": { isThere: hasNamespaces, get: "run as root, with Debian's iproute2" },
  nftables: program("nft", "nftables"),
  pgbouncer: program("pgbouncer", "pgbouncer"),
  patroni: program("patroni", "patroni"),
  etcd: program("etcd", "etcd-server"),
  "postgresql server programs": { isThere: hasPostgresql, get: "apt-get install postgresql" },
  haproxy: program("haproxy", "haproxy"),
  nginx: program("nginx", "nginx-light"),
  faketime: program("faketime", "faketime"),
};

/** A line for each that is missing. */
export function findMissing(needs: readonly Need[]): string[] {
  return needs.filter((need) => !HOW[need].isThere()).map((need) => `needs ${need}: ${HOW[need].get}`);
}

function program(name: string, debianPackage: string) {
  const folders = [...(process.env.PATH ?? "").split(":"), "/usr/sbin", "/usr/local/sbin"];
  return {
    isThere: () => folders.some((folder) => existsSync(join(folder, name))),
    get: `apt-get install ${debianPackage}`,
  };
}

function hasNamespaces(): boolean {
  return spawnSync("unshare", ["--net", "ip", "link"], { stdio: "ignore" }).status === 0;
}

/** Debian keeps them out of the PATH, a folder for each version. */
function hasPostgresql(): boolean {
  const debian = "/usr/lib/postgresql";
  const folders = existsSync(debian) ? readdirSync(debian).map((version) => join(debian, version, "bin")) : [];
  return [...folders, ...(process.env.PATH ?? "").split(":")].some((folder) => existsSync(join(folder, "initdb")));
}
