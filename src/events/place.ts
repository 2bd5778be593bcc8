/** From where a reader of a stream with replay goes on (see replay.ts). */

/** How far what it follows has come. */
export interface Standing {
  /** The id of the last event; 0: there is none. */
  lastEvent: number;
  /** Then it is the last of all. */
  over: boolean;
}

/**
 * `lastEventId` is what the reader says that it has; undefined: nothing, it begins now. `findFirst` gives the id of the oldest
 * event that is kept, or the next one where there is none.
 *
 *   over     the reader has everything, the end included
 *   reset    what it has missed is not kept any more, or it names what never was: it begins with how things stand
 */
export async function findPlace(
  { lastEvent, over }: Standing,
  lastEventId: string | undefined,
  findFirst: () => Promise<number>,
): Promise<"over" | "reset" | { after: number }> {
  if (lastEventId === undefined) return { after: placeNow({ lastEvent, over }) };
  const last = /^\d{1,15}$/.test(lastEventId) ? Number(lastEventId) : -1;
  if (over && last === lastEvent) return "over";
  const known = last >= 0 && last <= lastEvent && last >= (await findFirst()) - 1;
  return known ? { after: last } : "reset";
}

/** Of whoever knows how things stand; the end is told to everybody. */
export const placeNow = ({ lastEvent, over }: Standing) => (over ? lastEvent - 1 : lastEvent);
