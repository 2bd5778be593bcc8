/**
 * The secret settings: each comes from its variable or, as orchestrators mount them, from the file that NAME_FILE
 * names. A trailing line break, which editors and `echo` add, is stripped. A value that a header, a form or another
 * program would alter is refused, because it would lock somebody out.
 */
import { closeSync, openSync, readSync } from "node:fs";
import { findSigningKeyFault } from "./trust/signing-keys.ts";

export const SECRETS = ["DATABASE_URL", "ADMIN_TOKEN", "KEY_PEPPER", "JWT_SECRET", "SIGNING_KEY"] as const;
export type SecretName = (typeof SECRETS)[number];
type Environment = Record<string, string | undefined>;

export interface ReadSecrets {
  values: Partial<Record<string, string>>;
  /** The source of each: its variable's name, or the file. */
  sources: Partial<Record<string, string>>;
  bad: Array<{ name: string; reason: string }>;
}

const BYTES_MAX = 16 * 1024;

export const TOKEN_LENGTH_MIN = 16;
export const JWT_SECRET_BYTES_MIN = 32;

/** Says why a text is no valid secret; undefined: it is one. Never reveals it. */
export type FindFault = (text: string) => string | undefined;

const FAULTS: Record<SecretName, FindFault> = {
  DATABASE_URL: (text) => (/^\s|\s$/.test(text) ? "must not begin or end with a blank" : undefined),
  ADMIN_TOKEN: findTokenFault,
  KEY_PEPPER: findTextFault,
  JWT_SECRET: findJwtSecretFault,
  SIGNING_KEY: findSigningKeyFault,
};

/**
 * Reads each file once. An empty variable counts as unset; an empty file is an error, because somebody meant it to be
 * read. `ofKinds`: the kinds' own secrets, besides the shared ones.
 */
export function readSecrets(env: Environment, ofKinds: Record<string, FindFault> = {}): ReadSecrets {
  const read: ReadSecrets = { values: {}, sources: {}, bad: [] };
  for (const [name, findFault] of Object.entries({ ...FAULTS, ...ofKinds })) {
    const file = env[`${name}_FILE`] || undefined;
    const own = env[name] || undefined;
    if (file !== undefined && own !== undefined) {
      read.bad.push({ name, reason: `and ${name}_FILE are both set: one of them is enough` });
      continue;
    }
    const found = file === undefined ? { text: own } : readSecretFile(file);
    if ("reason" in found) {
      read.bad.push({ name: `${name}_FILE`, reason: found.reason });
      continue;
    }
    if (found.text === undefined) continue;
    const text = trimLineEnds(found.text);
    const fault = text === "" ? "has nothing but line ends" : findFault(text);
    if (fault !== undefined) {
      read.bad.push({ name: file === undefined ? name : `${name}_FILE`, reason: fault });
      continue;
    }
    read.values[name] = text;
    read.sources[name] = file ?? name;
  }
  return read;
}

/** For a child process that must have the same secrets: a file may have changed since, or be a pipe. */
export function passSecrets(values: ReadSecrets["values"]): Record<string, string> {
  return Object.fromEntries(
    [...new Set([...SECRETS, ...Object.keys(values)])].flatMap((name) => [
      [name, values[name] ?? ""],
      [`${name}_FILE`, ""],
    ]),
  );
}

export function findTokenFault(text: string): string | undefined {
  return findTextFault(text) ?? findTooShort(text, TOKEN_LENGTH_MIN);
}

export function findJwtSecretFault(text: string): string | undefined {
  return findTextFault(text) ?? findTooShort(text, JWT_SECRET_BYTES_MIN);
}

function findTextFault(text: string): string | undefined {
  if (text !== text.trim()) return "must not begin or end with a blank";
  return /^[ -~]*$/.test(text) ? undefined : "must be visible ASCII characters on one line";
}

function findTooShort(text: string, min: number): string | undefined {
  if (text.length >= min) return undefined;
  return `has only ${text.length} characters, so it can be guessed: it must have ${min} (openssl rand -hex 24 makes one)`;
}

export function trimLineEnds(text: string): string {
  let end = text.length;
  while (end > 0 && (text[end - 1] === "\n" || text[end - 1] === "\r")) end--;
  return text.slice(0, end);
}

/** Bounded: a pipe blocks until written to, and a device never ends. */
function readSecretFile(file: string): { text: string } | { reason: string } {
  let handle: number | undefined;
  try {
    handle = openSync(file, "r");
    const bytes = Buffer.alloc(BYTES_MAX + 1);
    let length = 0;
    for (let got = -1; got !== 0 && length < bytes.length; length += got) {
      got = readSync(handle, bytes, length, bytes.length - length, null);
    }
    if (length > BYTES_MAX) return { reason: `names a file of more than ${BYTES_MAX} bytes: ${file}` };
    if (length === 0) return { reason: `names an empty file: ${file}` };
    return { text: bytes.toString("utf8", 0, length) };
  } catch (error) {
    return { reason: `names a file that cannot be read (${(error as NodeJS.ErrnoException).code}): ${file}` };
  } finally {
    if (handle !== undefined) closeSync(handle);
  }
}
