/** Sessions that are meant by the beginning of their id. */

/** A shorter beginning of an id may mean another session tomorrow. */
export const PREFIX_MIN = 8;
/** So many are listed at most where several are meant. */
export const MEANT_MAX = 20;

const LOWEST = "00000000-0000-0000-0000-000000000000";
const HIGHEST = LOWEST.replaceAll("0", "f");
const ID = /^[\da-f]{8}-([\da-f]{4}-){3}[\da-f]{12}$/;

/** The first and the last id that begin so; undefined: none does, or it is too short. */
export function idsThatBegin(idPrefix: string): { from: string; to: string } | undefined {
  const prefix = idPrefix.toLowerCase();
  const from = prefix + LOWEST.slice(prefix.length);
  const to = prefix + HIGHEST.slice(prefix.length);
  return prefix.length < PREFIX_MIN || !ID.test(from) ? undefined : { from, to };
}
