/**
 * A host of our own: a network namespace with one wire to this one, on which packets can be lost. It is named after this
 * process, and what a killed run left behind is removed by the next one.
 */
import { execFileSync } from "node:child_process";

const PREFIX = "keybeat-";

export interface Namespace {
  /** What is put before a command, so that it runs there. */
  command: string[];
  /** The two ends of the wire. */
  here: string;
  there: string;
  /** An address of this host that the namespace reaches by a separate route. */
  beyond: string;
  /** The state of that route: working, missing, or of one of these kinds, which refuse in different ways. */
  route(kind: "right" | "none" | "unreachable" | "prohibit" | "blackhole"): void;
  /** Drops this share (0 to 100) of the packets, both ways, of connections with these TCP ports; no reset is sent. */
  lose(ports: number[], percent: number): void;
  /** Packets that were dropped so far. */
  lost(): number;
  close(): Promise<void>;
}

export function openNamespace(): Namespace {
  removeLeftovers();
  const name = `${PREFIX}${process.pid}`;
  const [outside, inside] = [`kb${process.pid}a`, `kb${process.pid}b`];
  // From 100.64.0.0/10, which is in no other use on a host; four addresses to each process.
  const block = (process.pid % 16_384) * 4;
  const address = (n: number) => `100.100.${Math.floor(block / 256)}.${(block % 256) + n}`;
  const [here, there] = [address(1), address(2)];
  const beyond = address(1).replace("100.100.", "100.101.");
  ip("netns", "add", name);
  ip("link", "add", outside, "type", "veth", "peer", "name", inside, "netns", name);
  ip("addr", "add", `${here}/30`, "dev", outside);
  ip("addr", "add", `${beyond}/32`, "dev", outside);
  ip("link", "set", outside, "up");
  const command = ["ip", "netns", "exec", name];
  for (const args of [
    ["addr", "add", `${there}/30`, "dev", inside],
    ["link", "set", inside, "up"],
    ["link", "set", "lo", "up"],
  ]) {
    run(...command, "ip", ...args);
  }
  const route = (kind: Parameters<Namespace["route"]>[0]) => {
    run(...command, "ip", "route", "flush", beyond);
    if (kind === "right") run(...command, "ip", "route", "add", beyond, "via", here);
    else if (kind !== "none") run(...command, "ip", "route", "add", kind, beyond);
  };
  route("right");
  return {
    command,
    here,
    there,
    beyond,
    route,
    lose(ports, percent) {
      const chance = percent < 100 ? `numgen random mod 100 < ${percent}` : "";
      const rules = ["sport", "dport"].map((end) => `tcp ${end} { ${ports.join(", ")} } ${chance} counter drop`);
      run(...command, "nft", "flush ruleset");
      run(...command, "nft", "add table inet loss");
      for (const hook of ["input", "output"]) {
        run(...command, "nft", `add chain inet loss ${hook} { type filter hook ${hook} priority 0; }`);
        if (percent > 0) for (const rule of rules) run(...command, "nft", `add rule inet loss ${hook} ${rule}`);
      }
    },
    lost() {
      const rules = run(...command, "nft", "list ruleset");
      return [...rules.matchAll(/packets (\d+)/g)].reduce((sum, [, packets]) => sum + Number(packets), 0);
    },
    async close() {
      ip("netns", "del", name); // and with it the wire
    },
  };
}

function removeLeftovers(): void {
  for (const name of run("ip", "netns", "list").match(new RegExp(`${PREFIX}\\d+`, "g")) ?? []) {
    if (!isAlive(Number(name.slice(PREFIX.length)))) ip("netns", "del", name);
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

const ip = (...args: string[]) => run("ip", ...args);

function run(...command: string[]): string {
  return execFileSync(command[0] as string, command.slice(1), { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
}
