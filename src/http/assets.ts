/**
 * Serves files for browsers that the build put into dist/assets, with their compressed forms beside them
 * (scripts/build-assets.mjs). Each form is read once, on first request, and then served from memory.
 */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Context } from "hono";
import { AppError, unavailable } from "../errors.ts";
import { packageRoot } from "../version.ts";
import type { HttpEnv } from "./request-id.ts";

const ENCODINGS = { br: ".br", gzip: ".gz", identity: "" } as const;
type Encoding = keyof typeof ENCODINGS;

interface Loaded {
  bytes: Uint8Array<ArrayBuffer>;
  etag: string;
}

export interface Asset {
  /** Relative to dist/assets. */
  file: string;
  type: string;
  /** Beyond the headers of every asset. */
  headers?: Record<string, string>;
}

/** Answers an asset: 200 in the best form the caller accepts, or 304. */
export function serveAsset({ file, type, headers = {} }: Asset) {
  const loaded = new Map<Encoding, Promise<Loaded>>();
  const load = (encoding: Encoding) => {
    const known = loaded.get(encoding) ?? read(file, encoding);
    loaded.set(encoding, known);
    known.catch(() => loaded.delete(encoding));
    return known;
  };
  return async (c: Context<HttpEnv>) => {
    const encoding = chooseEncoding(c.req.header("accept-encoding"));
    const { bytes, etag } = await load(encoding);
    const common = { ETag: etag, "Cache-Control": "no-cache", Vary: "Accept-Encoding", ...headers };
    if (isKnown(etag, c.req.header("if-none-match"))) return c.body(null, 304, common);
    const own: Record<string, string> = { "Content-Type": type, "X-Content-Type-Options": "nosniff" };
    if (encoding !== "identity") own["Content-Encoding"] = encoding;
    return c.body(bytes, 200, { ...own, "Content-Length": String(bytes.length), ...common });
  };
}

async function read(file: string, encoding: Encoding): Promise<Loaded> {
  try {
    const bytes = await readFile(join(packageRoot(), "dist/assets", file + ENCODINGS[encoding]));
    const digest = createHash("sha256").update(bytes).digest("base64url").slice(0, 16);
    return { bytes: new Uint8Array(bytes), etag: `"${digest}"` };
  } catch (cause) {
    // Out of descriptors, or the disk fails: the file exists and can be had another time.
    if ((cause as NodeJS.ErrnoException).code !== "ENOENT") throw unavailable(cause);
    // Running from source before the first build.
    throw new AppError("not_found", "This file has not been built: npm run build", {}, { cause });
  }
}

/** The smallest form that is not refused; `q` only excludes here, because all forms are ready. */
function chooseEncoding(accepted = ""): Encoding {
  const offers = accepted.toLowerCase().split(",");
  const takes = (name: string) => offers.some((offer) => isTaken(offer, name));
  return takes("br") ? "br" : takes("gzip") ? "gzip" : "identity";
}

/** Split at its mark, then trimmed: one expression with blanks on both sides of the mark would take quadratic time. */
function isTaken(offer: string, name: string): boolean {
  const [coding = "", weight = "q=1"] = offer.split(";", 2);
  const [letter, value] = weight.trim().split("=", 2);
  return coding.trim() === name && letter === "q" && Number(value) > 0;
}

/** If-None-Match compares weakly, and a proxy that recompressed has marked the tag as weak. */
function isKnown(etag: string, given: string | undefined): boolean {
  if (given === undefined) return false;
  return given.split(",").some((tag) => tag.trim() === "*" || tag.trim().replace(/^W\//, "") === etag);
}
