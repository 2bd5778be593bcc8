/** Parses and freezes the environment. The only reader of process.env; every other module is given its settings. */
import { availableParallelism } from "node:os";
import cron from "node-cron";
import { z } from "zod";
import { readDestination } from "./database/destination.ts";
import { wholeNumber } from "./environment.ts";
import { UsageError } from "./errors.ts";
import { isHostName, isLoopback } from "./http/allowed-hosts.ts";
import { isNetwork, type TrustProxy } from "./http/client-address.ts";
import type { TokenOptions, TokenRules } from "./http/user-auth.ts";
import { type FindFault, type ReadSecrets, readSecrets, SECRETS } from "./secrets.ts";
import type { Kind } from "./sessions/kind.ts";
import { KINDS, type KindSettings } from "./sessions/kinds.ts";
import type { TraceExporter } from "./tracing/tracing.ts";
import { readSigningKeys, type SigningKey } from "./trust/signing-keys.ts";

/** In addition to the kinds' own. */
const shared = {
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
  LIMIT_SIGN_INS: wholeNumber(0, 1_000_000).default(60),
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
  JWT_SECRET: z.string().optional(),
  JWKS_URL: z.url({ protocol: /^https?$/, error: "must look like https://host/path" }).optional(),
  JWT_AUDIENCE: z
    .string()
    .transform((list) => list.split(",").map((name) => name.trim()))
    .refine((list) => list.every((name) => name !== ""), "must be a name, or a list of them with commas between")
    .optional(),
  JWT_ISSUER: z.string().optional(),
  SIGNING_KEY: z.string().optional(),
  LOG_LEVEL: z.enum(["trace", "debug", "info", "warn", "error", "fatal", "silent"]).default("info"),
};

export type Config = Readonly<{
  /** Undefined: an embedded PostgreSQL in dataDir. */
  databaseUrl: string | undefined;
  dataDir: string;
  host: string;
  port: number;
  adminToken: string | undefined;
  cleanupCron: string | undefined;
  keyPepper: string | undefined;
  historyRetentionDays: number;
  workers: number;
  /** Per process. Undefined: whatever its limit of open files leaves. */
  connectionsMax: number | undefined;
  /** How long a stopping process keeps accepting connections. */
  drainSeconds: number;
  /** Undefined: no tracing. */
  traceExporter: TraceExporter | undefined;
  /** Origins of web pages that may call; `*` means any. */
  corsOrigins: readonly string[];
  /** Proxies whose X-Forwarded-For is trusted. */
  trustProxy: TrustProxy;
  /** Wrong admin tokens per minute and address; 0: unlimited. */
  signInsPerMinute: number;
  /** Host names to answer to; undefined: all. */
  allowedHosts: readonly string[] | undefined;
  /** By what users' tokens are checked; undefined: nothing is set, and they cannot be. */
  userTokens: TokenOptions | undefined;
  /** What they must say besides. */
  userTokenRules: TokenRules;
  /** By which answers and leases are signed, the newest first; none: nothing is. */
  signingKeys: readonly SigningKey[];
  kinds: KindSettings;
  /** As read, for the workers. */
  secrets: Readonly<ReadSecrets["values"]>;
  logLevel: string;
}>;

/**
 * Reads the settings. An empty variable counts as unset, except CLEANUP_CRON, where empty means off.
 * Throws a UsageError that names the variable.
 */
export function readConfig(env: Environment = process.env, kinds: readonly Kind[] = KINDS): Config {
  const { read, secrets, bad } = readAll(env, kinds);
  if (read === undefined) throw new UsageError(bad.map(({ name, reason }) => `${name} ${reason}`).join("; "));
  const host = read.HOST ?? (read.DATABASE_URL === undefined ? "127.0.0.1" : "0.0.0.0");
  return Object.freeze({
    databaseUrl: read.DATABASE_URL,
    dataDir: read.DATA_DIR,
    host,
    port: read.PORT,
    adminToken: read.ADMIN_TOKEN,
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
    signInsPerMinute: read.LIMIT_SIGN_INS,
    userTokens: chooseTokenOptions(read),
    userTokenRules: tokenRules(read),
    signingKeys: Object.freeze(readSigningKeys(read.SIGNING_KEY ?? "")),
    kinds: Object.freeze(Object.fromEntries(kinds.map(({ name, settings }) => [name, settings.read(read)]))),
    secrets,
    logLevel: read.LOG_LEVEL,
  });
}

/** Each invalid variable with its reason. */
export const findBadSettings = (env: Environment = process.env): BadSetting[] => readAll(env, KINDS).bad;

/** Values that are valid and yet hardly meant so; none while others are invalid. */
export function findDoubts(env: Environment = process.env): Doubt[] {
  const { read } = readAll(env, KINDS);
  return read === undefined ? [] : KINDS.flatMap(({ settings }: Kind) => settings.findDoubt?.(read) ?? []);
}

/** The source of each secret that is set: its variable, or a file. */
export const findSecretSources = (env: Environment = process.env): ReadSecrets["sources"] =>
  readSecrets(env, secretsOf(KINDS)).sources;

type Environment = Record<string, string | undefined>;

interface BadSetting {
  name: string;
  reason: string;
}

interface Doubt {
  message: string;
  mend: string;
}

/** Each kind reads its own values. */
type Read = z.output<z.ZodObject<typeof shared>>;

/** `read` is undefined if anything is invalid. */
function readAll(
  env: Environment,
  kinds: readonly Kind[],
): {
  read: Read | undefined;
  secrets: ReadSecrets["values"];
  bad: BadSetting[];
} {
  const ofKinds = secretsOf(kinds);
  const { values: secrets, bad: badSecrets } = readSecrets(env, ofKinds);
  const unset = Object.fromEntries([...SECRETS, ...Object.keys(ofKinds)].map((name) => [name, undefined]));
  const shape = Object.assign({}, shared, ...kinds.map(({ settings }) => settings.shape)) as typeof shared;
  const parsed = z.object(shape).safeParse(given({ ...env, ...unset, ...secrets }));
  const bad = [
    ...badSecrets,
    ...(parsed.success ? findConflicts(parsed.data, kinds, badSecrets) : listBad(parsed.error)),
  ];
  return { read: bad.length === 0 ? parsed.data : undefined, secrets, bad };
}

const secretsOf = (kinds: readonly Kind[]): Record<string, FindFault> =>
  Object.assign({}, ...kinds.map(({ settings }) => settings.secrets));

/** A secret that is set but invalid is not also reported as missing. */
function findConflicts(read: Read, kinds: readonly Kind[], badSecrets: BadSetting[]): BadSetting[] {
  const ofKinds = kinds.flatMap(({ settings }) => settings.findConflict?.(read) ?? []);
  return [...(badSecrets.length > 0 ? [] : ofKinds), ...findTokenConflicts(read, kinds, badSecrets)];
}

function findTokenConflicts(read: Read, kinds: readonly Kind[], badSecrets: BadSetting[]): BadSetting[] {
  if (read.JWKS_URL !== undefined && read.JWT_SECRET !== undefined) {
    return [{ name: "JWT_SECRET", reason: "and JWKS_URL are both set: users' tokens are checked by one of them" }];
  }
  const wish = findTokenWish(read, kinds);
  if (wish === undefined) return [];
  const { name, value } = wish;
  const isSet = read.JWKS_URL ?? read.JWT_SECRET ?? badSecrets.find((bad) => bad.name.startsWith("JWT_SECRET"));
  return isSet === undefined ? [{ name, reason: `${value} needs JWT_SECRET or JWKS_URL` }] : [];
}

/** The first setting that requires user tokens. */
const findTokenWish = (read: Read, kinds: readonly Kind[]) =>
  kinds.map(({ settings }) => settings.wantsUserTokens?.(read)).find((wish) => wish !== undefined);

const listBad = (error: z.ZodError): BadSetting[] =>
  error.issues.map((issue) => ({ name: String(issue.path[0]), reason: reason(issue) }));

const given = (env: Record<string, string | undefined>) =>
  Object.fromEntries(
    Object.entries(env).filter(([name, value]) => value !== undefined && (value !== "" || name === "CLEANUP_CRON")),
  );

/** Only the standard OpenTelemetry variables that matter here; the SDK reads the rest itself. */
function chooseTraceExporter(read: Read): TraceExporter | undefined {
  if (read.OTEL_SDK_DISABLED?.toLowerCase() === "true") return undefined;
  const asked = read.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT ?? read.OTEL_EXPORTER_OTLP_ENDPOINT;
  const exporter = read.OTEL_TRACES_EXPORTER ?? (asked === undefined ? "none" : "otlp");
  return exporter === "none" ? undefined : exporter;
}

const tokenRules = (read: Read): TokenRules => ({ audience: read.JWT_AUDIENCE, issuer: read.JWT_ISSUER });

function chooseTokenOptions(read: Read): TokenOptions | undefined {
  if (read.JWKS_URL !== undefined) return { jwksUrl: read.JWKS_URL, ...tokenRules(read) };
  return read.JWT_SECRET === undefined ? undefined : { secret: read.JWT_SECRET, ...tokenRules(read) };
}

/** Guards a service on loopback against DNS rebinding: a page that points its own name at this address. */
function chooseAllowedHosts(host: string, read: Read): Config["allowedHosts"] {
  if (read.ALLOWED_HOSTS !== undefined) return read.ALLOWED_HOSTS.includes("*") ? undefined : read.ALLOWED_HOSTS;
  const deployed = read.DATABASE_URL !== undefined || read.TRUST_PROXY !== undefined;
  return isLoopback(host) && !deployed ? [] : undefined;
}

/** Exactly as browsers send it; anything else would never match. */
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
