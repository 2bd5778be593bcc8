/** The wire contract of access keys as operators see them. */
import { z } from "zod";
import { readMoment } from "../../keys/expiry.ts";
import { accessKey, moment } from "../../sessions/contract.ts";
import { generation, id, inBody, inQuery, label, page, prefix, reason, wholeNumber } from "../contract.ts";
import { device } from "../device/contract.ts";

const withZone = z.union([z.iso.datetime({ offset: true }), z.iso.date()]);
const givenMoment = z
  .string()
  .refine((text) => withZone.safeParse(text).success, "must be a moment like 2027-01-31T12:00:00Z, or a date")
  .refine((text) => readMoment(text) !== undefined, "must be in the years 100 to 9999 of UTC")
  .meta({ description: "RFC 3339, or a date alone, which is through its end, UTC.", pattern: "^\\d{4}-\\d{2}-\\d{2}" })
  // As it was sent, for the audit log; PostgreSQL would round what is finer than the milliseconds that were checked.
  .transform((text) => (text.includes("T") && !/\.\d{4}/.test(text) ? text : (readMoment(text) as string)));

export const keyId = wholeNumber;

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

const keyState = z.enum(["active", "live", "offline", "revoked", "expired"]);
const filter = {
  state: keyState.optional(),
  /** Every word of it must begin a word of the label, in any case (as far as the locale of the database knows letters). */
  label: label.optional(),
  prefix: prefix.optional(),
};
export const listKeysQuery = z.object({ ...inQuery, ...filter });
export const searchKeysRequest = z.object({ ...inBody, access_key: accessKey.optional(), ...filter });

export const patchKeyRequest = z
  .object({ label: label.nullable().optional(), expires_at: givenMoment.nullable().optional() })
  .refine((patch) => patch.label !== undefined || patch.expires_at !== undefined, "must change label or expires_at");

export const revokeKeyRequest = z.object({ reason: reason.nullish() });

const yesOrNo = z.enum(["true", "false"]).default("false");
export const importQuery = z.object({ partial: yesOrNo, dry_run: yesOrNo });

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
  live: z
    .object({
      session_id: z.string(),
      started_at: moment,
      last_heartbeat: moment,
      device,
      /** As of a session in the list of those. */
      with_proof: z.boolean(),
      may_be_copied: z.boolean(),
    })
    .nullable(),
  /** Until when a device may work offline with it, and nobody else can start; null: no lease holds. */
  leased_until: moment.nullable(),
});
export const keysPage = page(keyItem);

export type CreateKeyRequest = z.infer<typeof createKeyRequest>;
export type CreateKeyReply = z.infer<typeof createKeyReply>;
export type SearchKeys = z.infer<typeof searchKeysRequest>;
export type KeyItem = z.infer<typeof keyItem>;
