/** What the contracts of all kinds of session share. */
import { z } from "zod";

/** Text that the database can keep: no NUL, no half of a surrogate pair. Lengths count characters, not UTF-16 units. */
export const text = (max: number) =>
  z
    .string()
    .refine((value) => [...value].length <= max, `must have at most ${max} characters`)
    .refine((value) => !value.includes("\0") && value.isWellFormed(), "must be well-formed text without NUL")
    .meta({ maxLength: max }); // counts as JSON Schema does

/** A moment of the database's clock. */
export const moment = z.iso.datetime({ precision: 3 });
