/** POST /api/admin/keys/import: a text of keys, larger than any other body. */
import type { HttpBindings } from "@hono/node-server";
import type { Context } from "hono";
import type { Database } from "../../database/database.ts";
import { AppError } from "../../errors.ts";
import type { AdminEnv } from "../../http/admin-auth.ts";
import { allowSlowBody } from "../../http/admission.ts";
import { readQuery } from "../../http/read-query.ts";
import { type HashKey, importKeyText } from "../../keys/index.ts";
import { importQuery } from "../contract.ts";

const BODY_BYTES_MAX = 32 * 1024 * 1024;

export function keyImport({ database, hashKey }: { database: Database; hashKey: HashKey }) {
  let underWay = false;
  return async (c: Context<AdminEnv>) => {
    const partial = readQuery(c, importQuery).partial === "true";
    if (!/^text\/(csv|plain)\s*(;|$)/i.test(c.req.header("content-type") ?? "")) {
      throw new AppError("unsupported_media_type", "Please send the keys as Content-Type: text/csv or text/plain");
    }
    if (underWay) throw new AppError("unavailable", "Another import is under way, please try again when it is done");
    underWay = true;
    const { incoming } = (c.env ?? {}) as Partial<HttpBindings>;
    if (incoming) allowSlowBody(incoming);
    try {
      const text = await readLargeText(c);
      const report = await importKeyText(database, hashKey, text, { partial, by: c.get("operator") });
      return c.json({ imported: report.imported, skipped_known: report.skippedKnown, invalid: report.invalid });
    } finally {
      underWay = false;
    }
  };
}

/** The declared length is checked before anything is read; without one (chunked) the limit holds while reading. */
async function readLargeText(c: Context): Promise<string> {
  if (Number(c.req.header("content-length") ?? 0) > BODY_BYTES_MAX) throw tooLarge();
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of c.req.raw.body ?? []) {
    bytes += part.length;
    if (bytes > BODY_BYTES_MAX) throw tooLarge();
    parts.push(part);
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(Buffer.concat(parts));
  } catch {
    const message = "The text is not UTF-8, so a key in it might be read wrongly";
    throw new AppError("invalid_request", message, { issues: [{ path: "", message }] });
  }
}

const tooLarge = () => new AppError("payload_too_large", `The text may have at most ${BODY_BYTES_MAX} bytes`);
