import { sql } from "drizzle-orm";
import { customType, timestamp } from "drizzle-orm/pg-core";

/** Raw bytes, as the driver returns them. */
export const bytea = customType<{ data: Uint8Array }>({ dataType: () => "bytea" });

/** A moment, always with its time zone, as an RFC 3339 string. */
export const moment = (name: string) => timestamp(name, { withTimezone: true, mode: "string" });

/** The words of a text, for search. */
export const tsvector = customType<{ data: string }>({ dataType: () => "tsvector" });

/** A full transaction id. */
export const transaction = customType<{ data: string }>({ dataType: () => "xid8" });

/** Disjoint stretches of time, in order. */
export const stretches = customType<{ data: string }>({ dataType: () => "tstzmultirange" });

/** The words that a constraint allows. */
export const oneOf = (words: readonly string[]) => sql.raw(words.map((word) => `'${word}'`).join(", "));
