/** The data of each event of GET /api/admin/events, as zod schemas. */
import { z } from "zod";
import { device, id, moment, takeover } from "../contract.ts";

const key = { key_id: id, access_key: z.string(), label: z.string().nullable(), at: moment };

export const numbersEvent = z.object({ live: z.int(), at: moment });
export const startedEvent = z.object({ ...key, device });
export const endedEvent = z.object({ ...key, reason: z.enum(["expired", "ended", "revoked"]), device });
export const takeoverEvent = takeover;
/** So many of that second were not told. */
export const leftOutEvent = z.object({ count: z.int().min(1) });
/** `unavailable`: the database is away. `again`: the stream ends here, come again. */
export const emptyEvent = z.object({});
