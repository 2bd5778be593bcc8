import type { Context } from "hono";
import type { z } from "zod";
import { AppError } from "../errors.ts";

export const BODY_BYTES_MAX = 16 * 1024;

/**
 * Reads and checks a JSON body. Throws unsupported_media_type, payload_too_large or invalid_request (with
 * `issues: [{path, message}]`); then nothing has happened yet.
 */
export async function readJson<T extends z.ZodType>(c: Context, schema: T): Promise<z.infer<T>> {
  const type = c.req.header("content-type");
  if (type === undefined || !/^application\/json\s*(;|$)/i.test(type)) {
    throw new AppError("unsupported_media_type", "Please send JSON, with Content-Type: application/json");
  }
  const parsed = schema.safeParse(parseJson(await readText(c)));
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues.map((issue) => ({ path: issue.path.join("."), message: issue.message }));
  const [first] = issues;
  const where = first?.path ? `${first.path}: ` : "";
  throw new AppError("invalid_request", `Invalid request: ${where}${first?.message}`, { issues });
}

/** The declared length is checked before anything is read; without one (chunked) the limit holds while reading. */
async function readText(c: Context): Promise<string> {
  const declared = c.req.header("content-length");
  if (declared !== undefined) {
    if (Number(declared) > BODY_BYTES_MAX) throw tooLarge();
    return c.req.text();
  }
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of c.req.raw.body ?? []) {
    bytes += part.length;
    if (bytes > BODY_BYTES_MAX) throw tooLarge();
    parts.push(part);
  }
  return Buffer.concat(parts).toString("utf8");
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    const issues = [{ path: "", message: text === "" ? "the body is empty" : "the body is not valid JSON" }];
    throw new AppError("invalid_request", `Invalid request: ${issues[0]?.message}`, { issues });
  }
}

const tooLarge = () => new AppError("payload_too_large", `The body may have at most ${BODY_BYTES_MAX} bytes`);
