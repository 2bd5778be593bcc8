/** What a fault is: something is broken on purpose while load runs, and what Keybeat promises must hold all the same. */

export interface Fault {
  /** kebab-case; `npm run test:faults -- <name>` runs it alone. */
  name: string;
  /** What is broken, as the report shows it. */
  breaks: string;
  /** What it needs of the machine beyond Node.js. Where that is missing it counts as not run, never as held. */
  needs?: readonly Need[];
  run(room: FaultRoom): Promise<Finding>;
}

/** A program on the PATH (or where Debian puts it), the right to make network namespaces, or Linux for its /proc. */
export type Need =
  | "network namespaces"
  | "nftables"
  | "pgbouncer"
  | "patroni"
  | "etcd"
  | "postgresql server programs"
  | "haproxy"
  | "nginx"
  | "faketime"
  | "linux";

export interface FaultRoom {
  /** True for the form that CI runs: the same fault, less long. */
  short: boolean;
  /** A folder of this run's own, removed after it. */
  folder: string;
  /** Progress, a line each. */
  say(line: string): void;
  /** Aborted by Ctrl-C: end what was started, then throw. */
  signal: AbortSignal;
}

export interface Finding {
  /** What must not happen and did, a sentence each; empty: the fault held. */
  violations: string[];
  /** What held, in a few words. */
  held: string;
  /** What was measured, with its unit. */
  figure: string;
  /** What to look into where it did not hold, by file name: the runner keeps these files then. */
  evidence?: Record<string, string>;
}
