import type { Context } from "hono";
import { ifMatch } from "../sessions/contract.ts";
import { refuseHeader } from "./idempotency-key.ts";

const VERSION_MAX = 2_147_483_647;

/**
 * The versions that the caller takes for the present one, by their ETags; undefined: whichever it is. A proxy that compresses
 * makes ETags weak, which changes no version. Throws invalid_request.
 */
export function readIfMatch(c: Context): number[] | undefined {
  const sent = c.req.header("if-match");
  if (sent === undefined) return undefined;
  const tags = ifMatch.safeParse(sent);
  if (!tags.success) throw refuseHeader("If-Match", tags.error);
  if (tags.data === "*") return undefined;
  return [...tags.data.matchAll(/"(\d{1,10})"/g)].map(([, version]) => Number(version)).filter((v) => v <= VERSION_MAX);
}
