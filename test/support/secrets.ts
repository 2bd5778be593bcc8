/**
 * Keys and session ids for tests. Each carries a mark behind its first 8 characters, so that a whole one is found
 * wherever it must not be: in any line of any log.
 */
import { randomBytes } from "node:crypto";

const KEY_MARK = "-WHOLE-KEY-";
const SESSION_MARK = "-WHOLE-SESSION-";

export const newAccessKey = (): string =>
  `${randomBytes(4).toString("hex")}${KEY_MARK}${randomBytes(8).toString("hex")}`;

export const newSessionId = (): string => sessionIdBeginning(randomBytes(4).toString("hex"));

/** For whoever must know it again by what people see of it. */
export const sessionIdBeginning = (head: string): string => `${head}${SESSION_MARK}${randomBytes(8).toString("hex")}`;

/** The lines that hold a whole key or session id. */
export function findSecrets(log: string): string[] {
  return log.split("\n").filter((line) => line.includes(KEY_MARK) || line.includes(SESSION_MARK));
}
