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
