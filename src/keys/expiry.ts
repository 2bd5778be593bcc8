import { z } from "zod";
import { UsageError } from "../errors.ts";

const UNITS: Record<string, number> = { m: 60, h: 3600, d: 86_400, w: 604_800 };
const SECONDS_MAX = 100 * 366 * 86_400;
const date = z.iso.date();
const dateTime = z.iso.datetime({ offset: true, local: true });

/**
 * "2027-01-31" (its beginning, UTC), "2027-01-31T12:00:00Z" (UTC where no zone is said) or a span from now ("90m",
 * "12h", "30d", "4w"; a hundred years at most) -> RFC 3339. Throws a UsageError, without the text: it may be a key that
 * slipped into the wrong column.
 */
export function parseExpiry(text: string, now = Date.now()): string {
  const span = /^(\d{1,8})([mhdw])$/.exec(text);
  const seconds = span ? Number(span[1]) * (UNITS[span[2] ?? ""] ?? 0) : 0;
  if (span && seconds <= SECONDS_MAX) return new Date(now + seconds * 1000).toISOString();
  if (date.safeParse(text).success) return new Date(`${text}T00:00:00Z`).toISOString();
  if (dateTime.safeParse(text).success)
    return new Date(/(Z|[+-]\d\d:?\d\d)$/.test(text) ? text : `${text}Z`).toISOString();
  throw new UsageError("the expiry is no date: say 2027-01-31, 2027-01-31T12:00:00Z, or a span like 30d or 12h");
}
