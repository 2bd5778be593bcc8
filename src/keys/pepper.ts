/**
 * Whether KEY_PEPPER is still the one that the keys were hashed with: with another one, or none, every key would be
 * unknown, and every new one would be so to those who have the right one.
 */
import { randomBytes, scryptSync, timingSafeEqual } from "node:crypto";
import type { Database } from "../database/database.ts";
import { OperatorError } from "../errors.ts";
import { savePepperMark, selectPepperMark } from "./sql.ts";

/** What is kept where there is no pepper. */
const NONE = "none";

/** Throws an OperatorError if keys were made with another pepper. Takes the present one for right where none is known. */
export async function expectPepper(database: Database, pepper: string | undefined): Promise<void> {
  const { mark, hasKeys } = await selectPepperMark(database);
  if (mark !== null && fits(mark, pepper)) return;
  if (mark !== null && hasKeys) throw new OperatorError(mark === NONE ? ADDED : CHANGED);
  await savePepperMark(database, makeMark(pepper, randomBytes(16)));
}

const MEND =
  "set it back; if it is lost, no key is known any more: erase them, or UPDATE service_state SET pepper_mark = NULL";
const CHANGED = `KEY_PEPPER is not the one that the keys of this database were made with: ${MEND}`;
const ADDED =
  "KEY_PEPPER is set, but the keys of this database were made without one and would all be unknown: unset it";

/** Slow on purpose: who steals the table is to learn nothing of a weak pepper from this. */
function makeMark(pepper: string | undefined, salt: Uint8Array): string {
  if (pepper === undefined) return NONE;
  return `${Buffer.from(salt).toString("hex")}:${scryptSync(pepper, salt, 32).toString("hex")}`;
}

function fits(mark: string, pepper: string | undefined): boolean {
  if (mark === NONE || pepper === undefined) return mark === NONE && pepper === undefined;
  const expected = makeMark(pepper, Buffer.from(mark.split(":")[0] as string, "hex"));
  return expected.length === mark.length && timingSafeEqual(Buffer.from(expected), Buffer.from(mark));
}
