/**
 * What the contracts of the admin API share. Keys and session ids are masked in every reply but that of a key's creation.
 * Lists are pages by key, newest first unless said otherwise: rows that come, go or change between two pages neither
 * repeat nor hide others.
 */
import { z } from "zod";
import { isStorable } from "../keys/text.ts";
import { trimKey } from "../keys/written.ts";
import { text } from "../sessions/contract.ts";

const LABEL_LENGTH_MAX = 200;
const PREFIX_LENGTH_MAX = 8;

export const label = text(LABEL_LENGTH_MAX);
/** What people see of a key, with or without the `…`. Longer is refused: it may be a whole key in a URL. */
export const prefix = z
  .string()
  .transform((value) => trimKey(value).replace(/…$/, ""))
  .refine((value) => value !== "" && isStorable(value), "must not be empty")
  .refine(
    (value) => [...value].length <= PREFIX_LENGTH_MAX,
    `must have at most ${PREFIX_LENGTH_MAX} characters; a whole key goes into access_key of a search`,
  );
/** What the device is told. */
export const reason = text(200);
export const id = z.int().min(1);
export const generation = z.int().min(0);

export const wholeNumber = z
  .string()
  .regex(/^\d{1,15}$/, "must be a whole number")
  .transform(Number);
const LIMIT_DEFAULT = 50;
const limit = z.int().min(1).max(500);
/** As `next_cursor` gave it. */
const cursor = z
  .string()
  .regex(/^\d{1,16}$/, "must be a next_cursor")
  .transform(Number);

export const inQuery = {
  limit: wholeNumber.pipe(limit).default(LIMIT_DEFAULT),
  cursor: cursor.optional(),
};
export const inBody = { limit: limit.default(LIMIT_DEFAULT), cursor: cursor.nullish() };
export const pageQuery = z.object(inQuery);
export const page = <T extends z.ZodType>(item: T) =>
  z.object({ items: z.array(item), next_cursor: z.string().nullable() });

export const done = z.object({ success: z.literal(true) });
export const cleanupReply = z.object({ success: z.literal(true), deleted: z.int().min(0) });
