/** The wire contract of signing in and out. */
import { z } from "zod";

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

export const signInReply = z.object({ success: z.literal(true), csrf_token: z.string() });
export const meReply = z.object({
  signed_in: z.literal(true),
  by: z.enum(["token", "page"]),
  csrf_token: z.string().optional(),
  version: z.string(),
});
