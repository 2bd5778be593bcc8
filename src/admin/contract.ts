/**
 * The wire contract of the admin API: requests and replies as zod schemas. Keys and session ids are masked in every
 * reply but that of a key's creation. Lists are pages by key, newest first unless said otherwise: rows that come, go or
 * change between two pages neither repeat nor hide others.
 */
import { z } from "zod";
import { readMoment } from "../keys/expiry.ts";
import { isStorable } from "../keys/text.ts";
import { trimKey } from "../keys/written.ts";
import { accessKey, text } from "../sessions/contract.ts";

const LABEL_LENGTH_MAX = 200;
const PREFIX_LENGTH_MAX = 8;
const SESSIONS_AGE_SECONDS_MAX = 366 * 86_400;

const label = text(LABEL_LENGTH_MAX);
/** What people see of a key, with or without the `…`. Longer is refused: it may be a whole key in a URL. */
const prefix = z
  .string()
  .transform((value) => trimKey(value).replace(/…$/, ""))
  .refine((value) => value !== "" && isStorable(value), "must not be empty")
  .refine(
    (value) => [...value].length <= PREFIX_LENGTH_MAX,
    `must have at most ${PREFIX_LENGTH_MAX} characters; a whole key goes into access_key of a search`,
  );
/** What the device is told. */
export const reason = text(200);
const withZone = z.union([z.iso.datetime({ offset: true }), z.iso.date()]);
const givenMoment = z
  .string()
  .refine((text) => withZone.safeParse(text).success, "must be a moment like 2027-01-31T12:00:00Z, or a date")
  .refine((text) => readMoment(text) !== undefined, "must be in the years 100 to 9999 of UTC")
  .meta({ description: "RFC 3339, or a date alone, which is through its end, UTC.", pattern: "^\\d{4}-\\d{2}-\\d{2}" })
  // As it was sent, for the audit log; PostgreSQL would round what is finer than the milliseconds that were checked.
  .transform((text) => (text.includes("T") && !/\.\d{4}/.test(text) ? text : (readMoment(text) as string)));
export const id = z.int().min(1);
const generation = z.int().min(0);

const wholeNumber = z
  .string()
  .regex(/^\d{1,15}$/, "must be a whole number")
  .transform(Number);
const LIMIT_DEFAULT = 50;
const limit = z.int().min(1).max(500);
/** As `next_cursor` gave it. */
const cursor = z
  .string()
  .regex(/^\d{1,16}$/, "must be a next_cursor")
  .transform(Number);

export const inQuery = {
  limit: wholeNumber.pipe(limit).default(LIMIT_DEFAULT),
  cursor: cursor.optional(),
};
const inBody = { limit: limit.default(LIMIT_DEFAULT), cursor: cursor.nullish() };

export const keyId = wholeNumber;

export const signInRequest = z.object({ token: z.string().max(4096) });

export const signOutRequest = z.object({
  /** Every browser, this one as well. */
  everywhere: z.boolean().nullish(),
  /** Another one than this, as the audit log names it: `page 3f2a91c0`. */
  sign_in: z
    .string()
    .regex(/^[\da-f]{8}$/, "must be the 8 characters behind `page` in the audit log")
    .nullish(),
});

export const createKeyRequest = z
  .object({
    access_key: accessKey.optional(),
    label: label.nullish(),
    expires_at: givenMoment.nullish(),
    expires_in_days: z.number().positive().max(36_600).optional(),
  })
  .refine((key) => key.expires_at == null || key.expires_in_days === undefined, {
    path: ["expires_in_days"],
    message: "must not stand beside expires_at",
  });

export const keyState = z.enum(["active", "live", "revoked", "expired"]);
export const listKeysQuery = z.object({
  ...inQuery,
  state: keyState.optional(),
  /** Every word of it must begin a word of the label, in any case (as far as the locale of the database knows letters). */
  label: label.optional(),
  prefix: prefix.optional(),
});
export const searchKeysRequest = z.object({
  ...inBody,
  access_key: accessKey.optional(),
  state: keyState.optional(),
  label: label.optional(),
  prefix: prefix.optional(),
});

export const patchKeyRequest = z
  .object({ label: label.nullable().optional(), expires_at: givenMoment.nullable().optional() })
  .refine((patch) => patch.label !== undefined || patch.expires_at !== undefined, "must change label or expires_at");

export const revokeKeyRequest = z.object({ reason: reason.nullish() });

export const pageQuery = z.object(inQuery);

const silentSecondsMin = z.number().min(0).max(SESSIONS_AGE_SECONDS_MAX);
export const listSessionsQuery = z.object({
  ...inQuery,
  prefix: prefix.optional(),
  label: label.optional(),
  /** Part of the device's name, platform or app version, in any case. */
  device: text(100).optional(),
  silent_seconds_min: wholeNumber.pipe(silentSecondsMin).optional(),
  sort: z.enum(["key_id"]).optional(),
});
export const searchSessionsRequest = z.object({
  ...inBody,
  access_key: accessKey.optional(),
  prefix: prefix.optional(),
  label: label.optional(),
  device: text(100).optional(),
  silent_seconds_min: silentSecondsMin.optional(),
  sort: z.enum(["key_id"]).optional(),
});

export const kickRequest = z.object({ key_id: id, generation: generation.nullish(), reason: reason.nullish() });

export const numbersQuery = z.object({
  hours: wholeNumber.refine((n) => n >= 1 && n <= 744, "must be between 1 and 744").default(24),
});
const yesOrNo = z.enum(["true", "false"]).default("false");
export const importQuery = z.object({ partial: yesOrNo, dry_run: yesOrNo });

export const moment = z.iso.datetime({ precision: 3 });
export const device = z
  .object({ name: z.string().optional(), platform: z.string().optional(), app_version: z.string().optional() })
  .nullable();
export const page = <T extends z.ZodType>(item: T) =>
  z.object({ items: z.array(item), next_cursor: z.string().nullable() });

export const signInReply = z.object({ success: z.literal(true), csrf_token: z.string() });
export const done = z.object({ success: z.literal(true) });
export const meReply = z.object({
  signed_in: z.literal(true),
  by: z.enum(["token", "page"]),
  csrf_token: z.string().optional(),
  version: z.string(),
});

export const createKeyReply = z.object({
  id,
  /** The whole key: nobody sees it again. */
  access_key: z.string(),
  access_key_masked: z.string(),
  label: z.string().nullable(),
  created_at: moment,
  expires_at: moment.nullable(),
});

export const importRequest = z.string().meta({ description: "At most 32 MiB." });
const importCounts = {
  imported: z.int(),
  /** Keys that were there before, or stood in it twice. */
  skipped_known: z.int(),
  /** At most the first 1000; nothing of a key is in a reason. */
  invalid: z.array(z.object({ line: z.int(), reason: z.string() })),
};
export const importReply = z.object(importCounts);
/** What an import would have answered, and how the text was read. */
export const importPreview = z.object({
  dry_run: z.literal(true),
  ...importCounts,
  /** What separates the fields: `,`, `;`, a tab, or what a line `sep=` says. */
  separator: z.string(),
  /** In their order. */
  columns: z.array(z.enum(["key", "label", "expires"])),
  /** Headings that say nothing here. */
  ignored_columns: z.array(z.string()),
  /** Some line is no UTF-8, and was read as Windows-1252: look at its label. */
  encoding_guessed: z.boolean(),
});

export const importAnswer = z.union([importPreview, importReply]);

export const keyItem = z.object({
  id,
  access_key: z.string(),
  label: z.string().nullable(),
  created_at: moment,
  expires_at: moment.nullable(),
  revoked_at: moment.nullable(),
  last_used_at: moment.nullable(),
  generation,
  live: z.object({ session_id: z.string(), started_at: moment, last_heartbeat: moment, device }).nullable(),
});
export const keysPage = page(keyItem);

export const historyItem = z.object({
  generation,
  session_id: z.string(),
  started_at: moment,
  last_heartbeat: moment,
  /** Null, with reason and ended_by: it is live. */
  ended_at: moment.nullable(),
  reason: z.enum(["replaced", "expired", "ended", "revoked"]).nullable(),
  ended_by: z.enum(["device", "takeover", "timeout", "operator"]).nullable(),
  note: z.string().nullable(),
  device,
  replaced_by: z.object({ generation, device }).nullable(),
});
export const historyPage = page(historyItem);

export const sessionItem = z.object({
  key_id: id,
  access_key: z.string(),
  label: z.string().nullable(),
  session_id: z.string(),
  generation,
  started_at: moment,
  last_heartbeat: moment,
  expires_at: moment,
  device,
});
/** In the order of key_id. */
export const sessionsPage = page(sessionItem);

export const kickReply = z.object({ success: z.boolean() });

export const cleanupReply = z.object({ success: z.literal(true), deleted: z.int().min(0) });

export const auditItem = z.object({
  id,
  at: moment,
  who: z.string(),
  from: z.string().nullable(),
  action: z.string(),
  key_id: id.nullable(),
  details: z.record(z.string(), z.unknown()).nullable(),
});
export const auditPage = page(auditItem);

/** One device took the key over from another. */
export const takeover = z.object({
  key_id: id,
  access_key: z.string(),
  label: z.string().nullable(),
  at: moment,
  from_device: device,
  to_device: device,
});

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
      live_peak: z.int().nullable(),
    }),
  ),
  /** The 20 keys with most takeovers by a device that differs in name or platform. */
  takeovers_between_devices: z.array(
    z.object({
      key_id: id,
      access_key: z.string(),
      label: z.string().nullable(),
      takeovers: z.int(),
      devices: z.int(),
    }),
  ),
  /** The last ten, the newest first. */
  newest_takeovers: z.array(takeover),
  /** Expired of all endings, 0 to 1; null where nothing ended. */
  unclean_share: z.number().nullable(),
  /** Keys used in these hours that had no more than so many different devices. */
  limits: z.array(z.object({ limit: z.int(), keys_served: z.int() })),
});

export type CreateKeyRequest = z.infer<typeof createKeyRequest>;
export type SearchKeys = z.infer<typeof searchKeysRequest>;
export type SearchSessions = z.infer<typeof searchSessionsRequest>;
export type PatchKey = z.infer<typeof patchKeyRequest>;
export type KeyItem = z.infer<typeof keyItem>;
export type HistoryItem = z.infer<typeof historyItem>;
export type SessionItem = z.infer<typeof sessionItem>;
export type AuditItem = z.infer<typeof auditItem>;
export type NumbersReply = z.infer<typeof numbersReply>;
