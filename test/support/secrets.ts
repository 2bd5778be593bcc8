/**
 * Keys, session ids and other secrets for tests. Each carries a mark behind its first 8 characters, so that a whole one is
 * found wherever it must not be: in any line of any log. What the service or a client draws has no mark: that is found by
 * its form, by the name beside it, or, the id of a lease, as it was given to this process.
 */
import { randomBytes } from "node:crypto";
import { readLeaseId } from "../../src/trust/lease-token.ts";

const KEY_MARK = "-WHOLE-KEY-";
const SESSION_MARK = "-WHOLE-SESSION-";
const PROOF_MARK = "-WHOLE-PROOF-";
const LEASE_MARK = "-WHOLE-LEASE-";
const MARKS = [KEY_MARK, SESSION_MARK, PROOF_MARK, LEASE_MARK];

const marked = (mark: string, head = randomBytes(4).toString("hex")): string =>
  `${head}${mark}${randomBytes(8).toString("hex")}`;

export const newAccessKey = (): string => marked(KEY_MARK);

export const newSessionId = (): string => marked(SESSION_MARK);

/** For whoever must know it again by what people see of it. */
export const sessionIdBeginning = (head: string): string => marked(SESSION_MARK, head);

/** An instance, or the id of a beat. */
export const newProofWord = (): string => marked(PROOF_MARK);

export const newLeaseId = (): string => marked(LEASE_MARK);

const SIGNED_LEASE = /eyJ2IjoxLCJraWQi[\w-]+\.[\w-]{86}/g; // a JSON that begins with {"v":1,"kid"
const FORMS = [
  /eyJ2IjoxLCJraWQi/,
  /[0-9a-f]{112}/, // a challenge
  /[0-9a-f]{12}-[0-9a-z]+-[0-9a-z]{8}(?![0-9a-z])/, // what the TypeScript client draws for its proof
  /(lease_?id|instance|beat_?id|proof_beat|challenge)\W{1,6}(?=[\w-]*\d)[\w-]{16,}/i, // also as the driver says it: (lease_id)=(…)
];

const leaseIds = new Set<string>();

/** From now on the ids of the leases in this text are found, too: they are the service's own, and look like any other. */
export function noteLeases(text: string): void {
  for (const [lease] of text.matchAll(SIGNED_LEASE)) {
    const id = readLeaseId(lease);
    if (id !== undefined) leaseIds.add(id);
  }
}

/** The lines that hold a whole key, session id, lease or its id, or a part of a proof. */
export function findSecrets(log: string): string[] {
  return log.split("\n").filter((line) => isSecret(line));
}

function isSecret(line: string): boolean {
  if (MARKS.some((mark) => line.includes(mark)) || FORMS.some((form) => form.test(line))) return true;
  for (const id of leaseIds) if (line.includes(id)) return true;
  return false;
}
