/** The wire contract of device sessions as operators see them: the live ones, the past ones, and how they add up. */
import { z } from "zod";
import { accessKey, moment, text } from "../../sessions/contract.ts";
import { ENDING_REASONS } from "../../sessions/device/endings.ts";
import { generation, id, inBody, inQuery, label, page, prefix, reason, wholeNumber } from "../contract.ts";

const SESSIONS_AGE_SECONDS_MAX = 366 * 86_400;

/** As it is told to operators; what a device says of itself is cut on its way in. Null: it has said nothing. */
export const device = z
  .object({ name: z.string().optional(), platform: z.string().optional(), app_version: z.string().optional() })
  .nullable();

const silentSecondsMin = z.number().min(0).max(SESSIONS_AGE_SECONDS_MAX);
const sort = z.enum(["key_id"]);
export const listSessionsQuery = z.object({
  ...inQuery,
  prefix: prefix.optional(),
  label: label.optional(),
  /** Part of the device's name, platform or app version, in any case. */
  device: text(100).optional(),
  silent_seconds_min: wholeNumber.pipe(silentSecondsMin).optional(),
  sort: sort.optional(),
});
export const searchSessionsRequest = z.object({
  ...inBody,
  access_key: accessKey.optional(),
  prefix: prefix.optional(),
  label: label.optional(),
  device: text(100).optional(),
  silent_seconds_min: silentSecondsMin.optional(),
  sort: sort.optional(),
});

export const kickRequest = z.object({ key_id: id, generation: generation.nullish(), reason: reason.nullish() });
/** `success`: any of the two. */
export const kickReply = z.object({ success: z.boolean(), session_ended: z.boolean(), lease_freed: z.boolean() });

export const numbersQuery = z.object({
  hours: wholeNumber.refine((n) => n >= 1 && n <= 744, "must be between 1 and 744").default(24),
});

const endingReason = z.enum(ENDING_REASONS);
export const historyItem = z.object({
  generation,
  session_id: z.string(),
  started_at: moment,
  last_heartbeat: moment,
  /** Null, with reason and ended_by: it is live. */
  ended_at: moment.nullable(),
  reason: endingReason.nullable(),
  /** `owner`: whoever has the key signed the device out, as `note` says. */
  ended_by: z.enum(["device", "owner", "takeover", "timeout", "operator", "copy"]).nullable(),
  note: z.string().nullable(),
  device,
  replaced_by: z.object({ generation, device }).nullable(),
});
export const historyPage = page(historyItem);

const ofKey = { key_id: id, access_key: z.string(), label: z.string().nullable() };

export const sessionItem = z.object({
  ...ofKey,
  session_id: z.string(),
  generation,
  started_at: moment,
  last_heartbeat: moment,
  expires_at: moment,
  device,
  /** Its client shows with each beat that one process alone uses it. */
  with_proof: z.boolean(),
  /** Heard of about twice as often as asked, without proof: one id may be in use on two devices. */
  may_be_copied: z.boolean(),
});
/** In the order of key_id. */
export const sessionsPage = page(sessionItem);

/** One device took the key over from another. */
const takeover = z.object({ ...ofKey, at: moment, from_device: device, to_device: device });

export const numbersReply = z.object({
  live: z.int(),
  /** The most seen at once in these hours; counted every 15 s and at every look. */
  peak: z.object({ live: z.int(), at: moment }).nullable(),
  /** Oldest first, the present one last. */
  hours: z.array(
    z.object({
      hour: moment,
      starts: z.int(),
      takeovers: z.int(),
      refusals: z.int(),
      expiries: z.int(),
      ends: z.int(),
      revocations: z.int(),
      /** Ended as two processes proved that they use one session id. */
      copies: z.int(),
      live_peak: z.int().nullable(),
    }),
  ),
  /** The 20 keys with most takeovers by a device that differs in name or platform. */
  takeovers_between_devices: z.array(z.object({ ...ofKey, takeovers: z.int(), devices: z.int() })),
  /** The last ten, the newest first. */
  newest_takeovers: z.array(takeover),
  /** Expired of all endings, 0 to 1; null where nothing ended. */
  unclean_share: z.number().nullable(),
  /** Keys used in these hours by at most that many different devices. */
  limits: z.array(z.object({ limit: z.int(), keys_served: z.int() })),
});

/** The data of each event of GET /api/admin/events. */
export const numbersEvent = z.object({ live: z.int(), at: moment });
export const startedEvent = z.object({ ...ofKey, at: moment, device });
export const endedEvent = z.object({
  ...ofKey,
  at: moment,
  reason: endingReason.exclude(["replaced"]),
  device,
});
export const takeoverEvent = takeover;
/** How many of that second were left out. */
export const leftOutEvent = z.object({ count: z.int().min(1) });
/** `unavailable`: the database is away. `again`: the stream ends here, come again. */
export const emptyEvent = z.object({});

export type Kicked = z.infer<typeof kickReply>;
export type SearchSessions = z.infer<typeof searchSessionsRequest>;
export type HistoryItem = z.infer<typeof historyItem>;
export type SessionItem = z.infer<typeof sessionItem>;
export type NumbersReply = z.infer<typeof numbersReply>;
export type TakeoverNews = z.infer<typeof takeover>;
