import { z } from "zod";
import { UsageError } from "../errors.ts";

/** RFC 3339 has no later years, and what PostgreSQL writes of years before 100 JavaScript reads as of another century. */
const YEARS = { from: Date.parse("0100-01-01T00:00:00Z"), to: Date.parse("9999-12-31T23:59:59.999Z") };

const UNITS: Record<string, number> = { m: 60, h: 3600, d: 86_400, w: 604_800 };
const SECONDS_MAX = 100 * 366 * 86_400;
const date = z.iso.date();
const dateTime = z.iso.datetime({ offset: true, local: true });

/**
 * A date (through the end of that day, UTC) or a moment (UTC where no zone is said) -> RFC 3339 in UTC, as the database
 * will have it. Undefined: neither, or in no year from 100 to 9999 of UTC.
 */
export function readMoment(text: string): string | undefined {
  const isDate = date.safeParse(text).success;
  if (!isDate && !dateTime.safeParse(text).success) return undefined;
  const moment = isDate ? `${text}T23:59:59.999Z` : /(Z|[+-]\d\d:?\d\d)$/.test(text) ? text : `${text}Z`;
  const at = Date.parse(moment);
  return at >= YEARS.from && at <= YEARS.to ? new Date(at).toISOString() : undefined;
}

/**
 * What readMoment takes, or a span from now ("90m", "12h", "30d", "4w"; a hundred years at most) -> RFC 3339. Throws a
 * UsageError, without the text: it may be a key that slipped into the wrong column.
 */
export function parseExpiry(text: string, now = Date.now()): string {
  const span = /^(\d{1,8})([mhdw])$/.exec(text);
  const seconds = span ? Number(span[1]) * (UNITS[span[2] ?? ""] ?? 0) : 0;
  if (span && seconds <= SECONDS_MAX) return new Date(now + seconds * 1000).toISOString();
  const moment = readMoment(text);
  if (moment !== undefined) return moment;
  throw new UsageError("the expiry is no date: say 2027-01-31, 2027-01-31T12:00:00Z, or a span like 30d or 12h");
}
