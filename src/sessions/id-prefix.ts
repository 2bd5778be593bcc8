/** Sessions that somebody names by the beginning of their id, a UUID. */

/** A shorter beginning may mean another session tomorrow. */
export const PREFIX_MIN = 8;
export const FOUND_MAX = 20;
const LOWEST = "00000000-0000-0000-0000-000000000000";
const HIGHEST = LOWEST.replaceAll("0", "f");
const ID = /^[\da-f]{8}-([\da-f]{4}-){3}[\da-f]{12}$/;

/** The ids that begin so, from one to another; undefined: none does, or too many. */
export function idsFrom(idPrefix: string): { from: string; to: string } | undefined {
  const prefix = idPrefix.toLowerCase();
  const from = prefix + LOWEST.slice(prefix.length);
  const to = prefix + HIGHEST.slice(prefix.length);
  return prefix.length < PREFIX_MIN || !ID.test(from) ? undefined : { from, to };
}
