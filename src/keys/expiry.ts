import { UsageError } from "../errors.ts";

const UNITS: Record<string, number> = { m: 60, h: 3600, d: 86_400, w: 604_800 };

/** "2027-01-31", "2027-01-31T12:00:00Z" or a span from now ("90m", "12h", "30d", "4w") -> RFC 3339. */
export function parseExpiry(text: string, now = Date.now()): string {
  const span = /^(\d{1,6})([mhdw])$/.exec(text);
  const moment = span
    ? new Date(now + Number(span[1]) * (UNITS[span[2] ?? ""] ?? 0) * 1000)
    : /^\d{4}-\d{2}-\d{2}/.test(text)
      ? new Date(text)
      : new Date(Number.NaN);
  if (Number.isNaN(moment.getTime())) {
    throw new UsageError(`"${text}" is no date: say 2027-01-31, 2027-01-31T12:00:00Z, or a span like 30d or 12h`);
  }
  return moment.toISOString();
}
