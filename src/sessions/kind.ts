/**
 * The one door of a kind of session: what the service needs of it, and all that it knows of it. The kinds are listed in
 * kinds.ts; whoever walks the list asks each for the same, and knows none by name.
 *
 *   Kind ── open ──► OpenKind ── mount ──► Mounted
 *   what it is       in each process       in those that answer
 *                    with a database
 */
import type { Hono } from "hono";
import type { Database } from "../database/database.ts";
import type { Listener } from "../database/listener.ts";
import type { Settings } from "../environment.ts";
import type { EventStreams } from "../events/sse.ts";
import type { AdminEnv, FindEndedSignIns } from "../http/admin-auth.ts";
import type { ReadAddress } from "../http/client-address.ts";
import type { DirectPost } from "../http/direct.ts";
import type { ErrorShape } from "../http/error-reply.ts";
import type { AdminPart, Errors, Part } from "../http/openapi/part.ts";
import type { HttpEnv } from "../http/request-id.ts";
import type { VerifyToken } from "../http/user-auth.ts";
import type { Clock } from "../jobs/clocks.ts";
import type { HashKey } from "../keys/index.ts";
import type { CreateLimit } from "../limits/limit.ts";
import type { Logger } from "../log.ts";
import type { Counts } from "../metrics/counts.ts";
import type { Samples } from "../metrics/samples.ts";
import type { SigningKey } from "../trust/signing-keys.ts";

export interface Kind<Meaning = unknown> {
  /** Under which the configuration has its settings. */
  name: string;
  settings: Settings<Meaning>;
  /** Its tables in the database. */
  tables: readonly string[];
  /** Its routes in the OpenAPI document, those of operators, and the error codes that are its own. */
  part: Part;
  adminPart?: AdminPart;
  errors: Errors;
  /** Starts nothing yet. */
  open(given: Given<Meaning>): OpenKind;
}

/** What every process has that works on the database. */
export interface Given<Meaning = unknown> {
  settings: Meaning;
  database: Database;
  counts: Counts;
  log: Logger;
}

export interface OpenKind {
  /** Where its errors look otherwise than the service's. */
  errorShapes?: ErrorShape[];
  /** Before anybody is answered, once for all processes: makes the settings those of the installation. */
  settle?(): Promise<void>;
  /** Tidies, and returns what it did by name; no answer may depend on it. Throws `unavailable`. */
  cleanUp(order: CleanupOrder): Promise<Record<string, number>>;
  /** What this process has counted. */
  samples?(): Samples;
  /** What the database says of the whole installation; one process asks for all. */
  readSamples?(): Promise<Samples>;
  /** Adds its routes, and begins to hear what happens. */
  mount(app: Hono<HttpEnv>, serving: Serving): Mounted;
}

/** What a process has that answers; the kinds share it. */
export interface Serving {
  hashKey: HashKey;
  listener: Listener;
  streams: EventStreams;
  readAddress: ReadAddress;
  createLimit: CreateLimit;
  /** By which leases are signed, the newest first. */
  signingKeys: readonly SigningKey[];
  /** Of users; undefined: nothing is set by which their tokens could be checked. */
  verifyToken: VerifyToken | undefined;
}

export interface CleanupOrder {
  /** On performance.now(); a statement that is under way then may end. */
  untilMs: number;
  /** HISTORY_RETENTION_DAYS. */
  retentionDays: number;
  /** By a person, who wants to hear more than the clock does. */
  asked: boolean;
  /** To be called before anything is logged of what it found. */
  found(): void;
}

export interface Mounted {
  /** Adds its routes under /api/admin. Not called where there are no operators. */
  mountAdmin?(admin: Hono<AdminEnv>, signIns: { findEnded: FindEndedSignIns }): void;
  /** Whether a request to that path may wait for something to happen. */
  waits?(path: string): boolean;
  /** How large the body of a request to that path may be, where it is larger than usual. */
  bodyBytesMax?(path: string): number | undefined;
  /** What it does every so many milliseconds. */
  clocks?: Clock[];
  /** Of device sessions alone, and the one exception: it is answered without Hono as well (see http/direct.ts). */
  heartbeat?: DirectPost;
  close(): void | Promise<void>;
}
