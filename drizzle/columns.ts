import { customType, timestamp } from "drizzle-orm/pg-core";

/** Raw bytes, as the driver gives them. */
export const bytea = customType<{ data: Uint8Array }>({ dataType: () => "bytea" });

/** A moment, always with its time zone, as an RFC 3339 string. */
export const moment = (name: string) => timestamp(name, { withTimezone: true, mode: "string" });

/** The words of a text, for searching. */
export const tsvector = customType<{ data: string }>({ dataType: () => "tsvector" });

/** A transaction, by its number in full. */
export const transaction = customType<{ data: string }>({ dataType: () => "xid8" });

/** Stretches of time, in order and apart from each other. */
export const stretches = customType<{ data: string }>({ dataType: () => "tstzmultirange" });
