/** The environment, parsed once and frozen. The only reader of process.env; every other module is given its settings. */
import { availableParallelism } from "node:os";
import cron from "node-cron";
import { z } from "zod";
import { readDestination } from "./database/destination.ts";
import { UsageError } from "./errors.ts";
import { isHostName, isLoopback } from "./http/allowed-hosts.ts";
import { isNetwork, type TrustProxy } from "./http/client-address.ts";
import type { UserAuthOptions } from "./http/user-auth.ts";
import type { LimitSettings } from "./limits/limit.ts";
import { type ReadSecrets, readSecrets, SECRETS } from "./secrets.ts";
import type { TraceExporter } from "./tracing/tracing.ts";

const wholeNumber = (min: number, max: number) =>
  z
    .string()
    .regex(/^\d+$/, "must be a whole number")
    .transform(Number)
    .refine((n) => n >= min && n <= max, `must be between ${min} and ${max}`);

const environment = z.object({
  DATABASE_URL: z
    .string()
    .superRefine((text, context) => {
      try {
        readDestination(text);
      } catch (error) {
        context.addIssue({ code: "custom", message: (error as Error).message });
      }
    })
    .optional(),
  DATA_DIR: z.string().default(".keybeat"),
  HOST: z.string().optional(),
  PORT: wholeNumber(0, 65_535).default(3000),
  ADMIN_TOKEN: z.string().optional(),
  SESSION_TIMEOUT_SECONDS: wholeNumber(1, 86_400).default(60),
  HEARTBEAT_SECONDS: wholeNumber(1, 86_400).default(30),
  CLEANUP_CRON: z
    .string()
    .refine((line) => line.trim() === "" || cron.validate(line), "must be a cron line of 5 or 6 fields, or empty")
    .default("*/10 * * * * *"),
  KEY_PEPPER: z.string().optional(),
  HISTORY_RETENTION_DAYS: wholeNumber(1, 36_500).default(90),
  WORKERS: z.union([z.literal("auto").transform(() => availableParallelism()), wholeNumber(1, 256)]).default(1),
  MAX_CONNECTIONS: wholeNumber(16, 10_000_000).optional(),
  DRAIN_SECONDS: wholeNumber(0, 3).default(2),
  OTEL_SDK_DISABLED: z.string().optional(),
  OTEL_TRACES_EXPORTER: z.enum(["otlp", "console", "none"]).optional(),
  OTEL_EXPORTER_OTLP_ENDPOINT: z.string().optional(),
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: z.string().optional(),
  OTEL_EXPORTER_OTLP_PROTOCOL: z.enum(["http/json", "http/protobuf"]).optional(),
  CORS_ORIGINS: z
    .string()
    .transform((list) => list.split(",").map((origin) => origin.trim()))
    .refine((list) => list.every(isOrigin), "must be * or a list like https://app.example,http://localhost:5173")
    .default([]),
  LIMIT_UNKNOWN_KEYS: wholeNumber(0, 1_000_000).default(120),
  LIMIT_SIGN_INS: wholeNumber(0, 1_000_000).default(60),
  LIMIT_STARTS: wholeNumber(0, 10_000).default(600),
  LIMIT_PLACES: wholeNumber(0, 1_000_000).default(6_000),
  ALLOWED_HOSTS: z
    .string()
    .transform((list) => list.split(",").map((name) => name.trim().toLowerCase()))
    .refine((list) => list.every(isHostName), "must be * or a list of names like keys.example.com,192.168.0.10")
    .optional(),
  TRUST_PROXY: z
    .string()
    .transform((text) => (/^\d+$/.test(text) ? Number(text) : text.split(",").map((network) => network.trim())))
    .refine(isTrustProxy, "must be a number of proxies (1 to 20), or a list like 10.0.0.0/8,2001:db8::1")
    .optional(),
  QUEUE_MAX_ACTIVE: wholeNumber(0, 1_000_000).default(20),
  QUEUE_MAX_REQUESTS: wholeNumber(0, 1_000_000).default(10),
  QUEUE_SESSION_TIMEOUT_SECONDS: wholeNumber(1, 2_592_000).default(1800),
  QUEUE_WAITER_TIMEOUT_SECONDS: wholeNumber(1, 86_400).default(60),
  QUEUE_CLAIM_SECONDS: wholeNumber(1, 86_400).default(60),
  QUEUE_MAX_WAITING: wholeNumber(0, 1_000_000).default(10_000),
  QUEUE_REQUEST_TIMEOUT_SECONDS: wholeNumber(1, 86_400).default(300),
  QUEUE_AUTH: z.enum(["none", "jwt"]).default("none"),
  JWT_SECRET: z.string().optional(),
  JWKS_URL: z.url({ protocol: /^https?$/, error: "must look like https://host/path" }).optional(),
  JWT_AUDIENCE: z
    .string()
    .transform((list) => list.split(",").map((name) => name.trim()))
    .refine((list) => list.every((name) => name !== ""), "must be a name, or a list of them with commas between")
    .optional(),
  JWT_ISSUER: z.string().optional(),
  LOG_LEVEL: z.enum(["trace", "debug", "info", "warn", "error", "fatal", "silent"]).default("info"),
});

export type Config = Readonly<{
  /** Undefined: an embedded PostgreSQL in dataDir. */
  databaseUrl: string | undefined;
  dataDir: string;
  host: string;
  port: number;
  adminToken: string | undefined;
  sessionTimeoutSeconds: number;
  /** The longest heartbeat_in. Never over half the timeout, so that one lost beat costs no session. */
  heartbeatSeconds: number;
  cleanupCron: string | undefined;
  keyPepper: string | undefined;
  historyRetentionDays: number;
  workers: number;
  /** Of a process. Undefined: as many as its limit of open files leaves. */
  connectionsMax: number | undefined;
  /** How long a process that shall stop goes on to take connections. */
  drainSeconds: number;
  /** Undefined: no traces. */
  traceExporter: TraceExporter | undefined;
  /** The web pages that may call; `*` stands for all. */
  corsOrigins: readonly string[];
  /** The proxies in front whose X-Forwarded-For is believed. */
  trustProxy: TrustProxy;
  limits: LimitSettings;
  waitingRoom: Readonly<{
    maxActive: number;
    maxRequests: number;
    maxWaiting: number;
    seatSeconds: number;
    waiterSeconds: number;
    claimSeconds: number;
    requestSeconds: number;
  }>;
  /** The host names that are answered to; undefined: all. */
  allowedHosts: readonly string[] | undefined;
  /** How the waiting room knows its users. */
  userAuth: UserAuthOptions;
  /** As they were read, for the workers. */
  secrets: Readonly<ReadSecrets["values"]>;
  logLevel: string;
}>;

/**
 * Reads the settings. An empty variable counts as unset, except CLEANUP_CRON, where empty means off.
 * Throws a UsageError that names the variable.
 */
export function readConfig(env: Record<string, string | undefined> = process.env): Config {
  const { read, secrets, bad } = readAll(env);
  if (read === undefined) throw new UsageError(bad.map(({ name, reason }) => `${name} ${reason}`).join("; "));
  const host = read.HOST ?? (read.DATABASE_URL === undefined ? "127.0.0.1" : "0.0.0.0");
  return Object.freeze({
    databaseUrl: read.DATABASE_URL,
    dataDir: read.DATA_DIR,
    host,
    port: read.PORT,
    adminToken: read.ADMIN_TOKEN,
    sessionTimeoutSeconds: read.SESSION_TIMEOUT_SECONDS,
    heartbeatSeconds: Math.min(read.HEARTBEAT_SECONDS, read.SESSION_TIMEOUT_SECONDS / 2),
    cleanupCron: read.CLEANUP_CRON.trim() || undefined,
    keyPepper: read.KEY_PEPPER,
    historyRetentionDays: read.HISTORY_RETENTION_DAYS,
    workers: read.WORKERS,
    connectionsMax: read.MAX_CONNECTIONS,
    drainSeconds: read.DRAIN_SECONDS,
    traceExporter: chooseTraceExporter(read),
    corsOrigins: read.CORS_ORIGINS,
    trustProxy: read.TRUST_PROXY,
    allowedHosts: chooseAllowedHosts(host, read),
    limits: {
      unknownKeys: read.LIMIT_UNKNOWN_KEYS,
      signIns: read.LIMIT_SIGN_INS,
      starts: read.LIMIT_STARTS,
      places: read.LIMIT_PLACES,
    },
    waitingRoom: Object.freeze({
      maxActive: read.QUEUE_MAX_ACTIVE,
      maxRequests: read.QUEUE_MAX_REQUESTS,
      maxWaiting: read.QUEUE_MAX_WAITING,
      seatSeconds: read.QUEUE_SESSION_TIMEOUT_SECONDS,
      waiterSeconds: read.QUEUE_WAITER_TIMEOUT_SECONDS,
      claimSeconds: read.QUEUE_CLAIM_SECONDS,
      requestSeconds: read.QUEUE_REQUEST_TIMEOUT_SECONDS,
    }),
    userAuth: chooseUserAuth(read),
    secrets,
    logLevel: read.LOG_LEVEL,
  });
}

/** The variables that make no sense, each with the reason. */
export const findBadSettings = (env: Record<string, string | undefined> = process.env): BadSetting[] =>
  readAll(env).bad;

/** Where each secret that is set came from: its variable, or a file. */
export const findSecretSources = (env: Record<string, string | undefined> = process.env): ReadSecrets["sources"] =>
  readSecrets(env).sources;

interface BadSetting {
  name: string;
  reason: string;
}

type Read = z.output<typeof environment>;

/** `read` is undefined where anything is bad. */
function readAll(env: Record<string, string | undefined>): {
  read: Read | undefined;
  secrets: ReadSecrets["values"];
  bad: BadSetting[];
} {
  const { values: secrets, bad: badSecrets } = readSecrets(env);
  const unset = Object.fromEntries(SECRETS.map((name) => [name, undefined]));
  const parsed = environment.safeParse(given({ ...env, ...unset, ...secrets }));
  const bad = [...badSecrets, ...(parsed.success ? findConflicts(parsed.data, badSecrets) : listBad(parsed.error))];
  return { read: bad.length === 0 ? parsed.data : undefined, secrets, bad };
}

/** A secret that is set, and wrong, is not missed as well. */
function findConflicts(read: Read, badSecrets: BadSetting[]): BadSetting[] {
  if (read.QUEUE_AUTH === "none") return [];
  if (read.JWKS_URL !== undefined && read.JWT_SECRET !== undefined) {
    return [{ name: "JWT_SECRET", reason: "and JWKS_URL are both set: QUEUE_AUTH=jwt takes one of them" }];
  }
  const isSet = read.JWKS_URL ?? read.JWT_SECRET ?? badSecrets.find(({ name }) => name.startsWith("JWT_SECRET"));
  return isSet === undefined ? [{ name: "QUEUE_AUTH", reason: "jwt needs JWT_SECRET or JWKS_URL" }] : [];
}

const listBad = (error: z.ZodError): BadSetting[] =>
  error.issues.map((issue) => ({ name: String(issue.path[0]), reason: reason(issue) }));

const given = (env: Record<string, string | undefined>) =>
  Object.fromEntries(
    Object.entries(env).filter(([name, value]) => value !== undefined && (value !== "" || name === "CLEANUP_CRON")),
  );

/** By the standard variables of OpenTelemetry; what else they say its SDK reads itself. */
function chooseTraceExporter(read: Read): TraceExporter | undefined {
  if (read.OTEL_SDK_DISABLED?.toLowerCase() === "true") return undefined;
  const asked = read.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT ?? read.OTEL_EXPORTER_OTLP_ENDPOINT;
  const exporter = read.OTEL_TRACES_EXPORTER ?? (asked === undefined ? "none" : "otlp");
  return exporter === "none" ? undefined : exporter;
}

function chooseUserAuth(read: Read): UserAuthOptions {
  if (read.QUEUE_AUTH === "none") return { kind: "none" };
  const expected = { audience: read.JWT_AUDIENCE, issuer: read.JWT_ISSUER };
  if (read.JWKS_URL !== undefined) return { kind: "jwt", jwksUrl: read.JWKS_URL, ...expected };
  return { kind: "jwt", secret: read.JWT_SECRET as string, ...expected };
}

/** On somebody's own machine nobody else can come in, and a page that has bent its name to its address must not either. */
function chooseAllowedHosts(host: string, read: Read): Config["allowedHosts"] {
  if (read.ALLOWED_HOSTS !== undefined) return read.ALLOWED_HOSTS.includes("*") ? undefined : read.ALLOWED_HOSTS;
  const deployed = read.DATABASE_URL !== undefined || read.TRUST_PROXY !== undefined;
  return isLoopback(host) && !deployed ? [] : undefined;
}

/** Exactly as browsers send it, or it would never match. */
function isOrigin(text: string): boolean {
  return text === "*" || (/^https?:/.test(text) && URL.canParse(text) && new URL(text).origin === text);
}

function isTrustProxy(read: number | string[]): boolean {
  return typeof read === "number" ? read >= 1 && read <= 20 : read.every(isNetwork);
}

function reason(issue: z.core.$ZodIssue): string {
  if (issue.code === "invalid_union") return "must be a whole number or auto";
  if (issue.code === "invalid_value") return `must be one of ${issue.values.join(", ")}`;
  return issue.message;
}
