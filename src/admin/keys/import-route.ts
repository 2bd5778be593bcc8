/** POST /api/admin/keys/import: a text of keys, larger than any other body. */
import type { HttpBindings } from "@hono/node-server";
import type { Context } from "hono";
import type { Database } from "../../database/database.ts";
import { AppError, UsageError } from "../../errors.ts";
import type { AdminEnv } from "../../http/admin-auth.ts";
import { allowSlowBody } from "../../http/admission.ts";
import { readQuery } from "../../http/read-query.ts";
import { type Bytes, type HashKey, type ImportReport, importKeys } from "../../keys/index.ts";
import { importQuery } from "./contract.ts";

const BODY_BYTES_MAX = 32 * 1024 * 1024;
/** A body in small pieces is kept in pieces of this size. */
const PIECE_BYTES = 64 * 1024;

export function importRoute({ database, hashKey }: { database: Database; hashKey: HashKey }) {
  let underWay = false;
  return async (c: Context<AdminEnv>) => {
    const { partial, dry_run } = readQuery(c, importQuery);
    const charset = readCharset(c.req.header("content-type"));
    if (underWay) throw new AppError("unavailable", "Another import is under way, please try again when it is done");
    underWay = true;
    const { incoming } = (c.env ?? {}) as Partial<HttpBindings>;
    if (incoming) allowSlowBody(incoming);
    const stop = c.req.raw.signal;
    try {
      const pieces = await readPieces(c);
      const source = async function* (): Bytes {
        yield* pieces;
      };
      const dryRun = dry_run === "true";
      const options = { partial: partial === "true", dryRun, charset, by: c.get("operator"), stop };
      return c.json(describe(await importKeys(database, hashKey, source, options), dryRun));
    } catch (error) {
      // A caller that hung up hears nothing of this.
      if (stop.aborted) throw new AppError("invalid_request", "The caller has left before the import was done");
      if (error instanceof UsageError) throw unsupported("The charset of the Content-Type is unknown");
      throw error;
    } finally {
      underWay = false;
    }
  };
}

function describe(report: ImportReport, dryRun: boolean) {
  const done = { imported: report.imported, skipped_known: report.known, invalid: report.invalid };
  const { separator, columns, ignoredColumns: ignored_columns, encodingGuessed: encoding_guessed } = report;
  return dryRun ? { dry_run: true, ...done, separator, columns, ignored_columns, encoding_guessed } : done;
}

/** Undefined: none is named. */
function readCharset(type = ""): string | undefined {
  const [media = "", ...parameters] = type.split(";");
  if (!/^text\/(csv|plain)$/i.test(media.trim())) {
    throw unsupported("Please send the keys as Content-Type: text/csv or text/plain");
  }
  const charset = parameters.map((parameter) => parameter.trim()).find((parameter) => /^charset=/i.test(parameter));
  return charset?.slice("charset=".length).replaceAll('"', "");
}

/** The declared length is checked before anything is read; without one (chunked) the limit holds while reading. */
async function readPieces(c: Context): Promise<Uint8Array[]> {
  if (Number(c.req.header("content-length") ?? 0) > BODY_BYTES_MAX) throw tooLarge();
  const pieces: Uint8Array[] = [];
  let piece = new Uint8Array(PIECE_BYTES);
  let [filled, bytes] = [0, 0];
  for await (const part of (c.req.raw.body ?? []) as AsyncIterable<Uint8Array>) {
    bytes += part.length;
    if (bytes > BODY_BYTES_MAX) throw tooLarge();
    for (let at = 0; at < part.length; ) {
      const taken = part.subarray(at, at + PIECE_BYTES - filled);
      piece.set(taken, filled);
      filled += taken.length;
      at += taken.length;
      if (filled < PIECE_BYTES) continue;
      pieces.push(piece);
      piece = new Uint8Array(PIECE_BYTES);
      filled = 0;
    }
  }
  return [...pieces, piece.subarray(0, filled)];
}

const unsupported = (message: string) => new AppError("unsupported_media_type", message);
const tooLarge = () => new AppError("payload_too_large", `The text may have at most ${BODY_BYTES_MAX} bytes`);
