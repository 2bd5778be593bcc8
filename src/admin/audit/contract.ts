/** The wire contract of the audit log. */
import { z } from "zod";
import { moment } from "../../sessions/contract.ts";
import { id, page } from "../contract.ts";

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

export type AuditItem = z.infer<typeof auditItem>;
