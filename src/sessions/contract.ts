/** What the contracts of all kinds of session share. */
import { z } from "zod";
import { isStorable } from "../keys/text.ts";
import { KEY_LENGTH_MAX, trimKey } from "../keys/written.ts";
import { cutText } from "../text.ts";

/** Text that the database can keep: no NUL, no half of a surrogate pair. Lengths count characters, not UTF-16 units. */
export const text = (max: number) => textOf(z.string(), max);

export const filled = (max: number) => text(max).refine((value) => value !== "", "must not be empty");

/** Text that only describes something: cut to its length, and never refused for that. */
export const described = (max: number) =>
  z
    .string()
    .overwrite((value) => cutText(value, max))
    .refine(isStorable, "must be text without NUL");

/** As it stands on paper, in a mail or in a spreadsheet; whoever takes it in takes it without what nobody sees. */
export const accessKey = textOf(z.string().overwrite(trimKey), KEY_LENGTH_MAX).min(1);

/**
 * What a path names. `.` and `..` are steps in one, to whatever client or proxy comes by them, however they are encoded.
 */
export const pathName = (max: number) =>
  filled(max)
    .refine((value) => value.trim() !== "", "must not be blank")
    .refine((value) => value !== "." && value !== "..", "must not be . or .., which no address can name");

function textOf(given: z.ZodString, max: number) {
  return given
    .refine((value) => [...value].length <= max, `must have at most ${max} characters`)
    .refine(isStorable, "must be well-formed text without NUL")
    .meta({ maxLength: max }); // counts as JSON Schema does
}

/** A moment of the database's clock. */
export const moment = z.iso.datetime({ precision: 3 });

const DEPTH_MAX = 200;

/** JSON that is the client's, and comes back as it was sent. */
export const anyJson = z.unknown().superRefine(refuseUnstorable);

/** An object of that kind. */
export const jsonObject = (bytesMax: number) => z.record(z.string(), z.unknown()).superRefine(refuseLarge(bytesMax));

/** For an object with fields of ours among the client's: what all of it may be. */
export function refuseLarge(bytesMax: number) {
  return (value: unknown, context: z.RefinementCtx): void => {
    const fault = findFault(value) ?? findTooLarge(value, bytesMax);
    if (fault !== undefined) context.addIssue({ code: "custom", message: fault });
  };
}

function refuseUnstorable(value: unknown, context: z.RefinementCtx): void {
  const fault = findFault(value);
  if (fault !== undefined) context.addIssue({ code: "custom", message: fault });
}

const findTooLarge = (value: unknown, bytesMax: number) =>
  new TextEncoder().encode(JSON.stringify(value)).length > bytesMax ? `must have at most ${bytesMax} bytes` : undefined;

/** What the database could not keep: NUL, half of a surrogate pair, and what is nested beyond all sense. */
function findFault(value: unknown, depth = 0): string | undefined {
  if (typeof value === "string") return isStorable(value) ? undefined : "must be well-formed text without NUL";
  if (typeof value !== "object" || value === null) return undefined;
  if (depth === DEPTH_MAX) return `must be nested at most ${DEPTH_MAX} deep`;
  for (const [name, part] of Object.entries(value)) {
    const fault = findFault(name) ?? findFault(part, depth + 1);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

/** With its zone; kept to the millisecond. */
export const givenMoment = z.iso
  .datetime({ offset: true })
  .refine((value) => !Number.isNaN(Date.parse(value)), "must be a moment")
  .transform((value) => new Date(value).toISOString());

/** How many a page of a list has, in a query. */
export const pageLimit = (byDefault: number, max: number) =>
  z
    .string()
    .regex(/^\d{1,9}$/, "must be a whole number")
    .transform(Number)
    .pipe(z.int().min(1).max(max))
    .default(byDefault);

/** As `next_cursor` of a list by numbers gave it. */
export const numberCursor = z
  .string()
  .regex(/^\d{1,15}$/, "must be a next_cursor")
  .transform(Number);

export const idempotencyKey = z.string().regex(/^[ -~]{1,255}$/, "must be 1 to 255 characters of visible ASCII");

/** ETags as answers have them, of which one must be the present one; or `*`. */
export const ifMatch = z
  .string()
  .regex(/^(?:\*|(?:W\/)?"[!#-~]{0,64}"(?: ?, ?(?:W\/)?"[!#-~]{0,64}"){0,20})$/, 'must be ETags like "3"');

/** By which the same request makes one session. */
export interface Idempotency {
  /** The client's own name for the request. */
  key: string;
  /** Of the request. */
  hash: Uint8Array;
}

/** Of a piece of what may be over. */
export interface SettleRow {
  looked_at: number;
  ended: number;
}
