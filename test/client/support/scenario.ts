/** The conformance table as data; src/client/conformance/README.md describes its fields. */
import { readFileSync } from "node:fs";

export type Window = [min: number, max: number];
export type Endpoint = "start" | "heartbeat" | "end" | "watch" | "lease" | "lease_return";

/** What is wrong with a signature. */
export type Fault =
  | "none"
  | "forged"
  | "stranger"
  | "other_nonce"
  | "other_request"
  | "other_session"
  | "other_route"
  | "other_status"
  | "replayed"
  | "changed"
  | "garbled"
  | "skipped";

export interface Reply {
  status: number;
  headers?: Record<string, string>;
  body?: Record<string, unknown>;
  text?: string;
}

export interface Rule {
  to: Endpoint | "*";
  from?: number;
  until?: number;
  times?: number;
  every?: number;
  when?: Record<string, unknown>;
  reply?: string;
  with?: Record<string, unknown>;
  fail?: "refused" | "reset" | "dns";
  hang?: true;
  flood?: true;
  drip?: true;
  delay?: number;
  signature?: Fault;
  signed_by?: string;
}

export type StreamAct = { at: number } & ({ event: string; reply: string; signature?: Fault } | { close: true });

export type Happening =
  | { at: number; do: "end" | "restart" | "return_lease" }
  | { at: number; do: "lease"; hours: number }
  | { at: number; do: "sleep"; for: number; monotonic: "runs" | "stands" }
  | { at: number; do: "wall_clock"; by: number };

export interface RequestPattern {
  request: Endpoint;
  session?: string;
  at?: Window;
  body?: Record<string, unknown>;
  proof?: { instance?: string; beat?: number; answer?: string | null };
  lease?: number | null;
}

export interface SigningKey {
  seed: string;
  public_key: string;
  id: string;
}

export interface Scenario {
  name: string;
  promise: string;
  client?: {
    on_conflict?: "replace" | "refuse" | "ask";
    answers?: boolean[];
    storage?: boolean;
    start_timeout?: number;
    proof?: boolean;
    public_keys?: string[];
  };
  signs_with?: string[];
  server?: Rule[];
  stream?: StreamAct[];
  happens?: Happening[];
  run_for: number;
  events: ({ at: Window } & Record<string, unknown>)[];
  requests?: RequestPattern[];
  never?: (RequestPattern & { from?: number })[];
  count?: { request: Endpoint; min: number; max: number }[];
  ends_as: { state: "live" | "degraded" | "offline" | "lost" | "ended" | "none"; session?: string };
}

export interface ConformanceTable {
  defaults: { expires_in: number; heartbeat_in: number; comment_every: number; request_timeout: number };
  signing_keys: Record<string, SigningKey>;
  replies: Record<string, Reply>;
  scenarios: Scenario[];
}

export const table: ConformanceTable = JSON.parse(
  readFileSync(new URL("../../../src/client/conformance/scenarios.json", import.meta.url), "utf8"),
);
