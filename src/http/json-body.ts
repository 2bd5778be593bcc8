import type { Context } from "hono";
import type { z } from "zod";
import { AppError } from "../errors.ts";
import { dropNulls } from "./absent.ts";

export const BODY_BYTES_MAX = 16 * 1024;

/** Reads and checks a JSON body; throws what isJson and parseJson ask for. Then nothing has happened yet. */
export async function readJson<T extends z.ZodType>(
  c: Context,
  schema: T,
  { read, bytesMax = BODY_BYTES_MAX }: { read?: string; bytesMax?: number } = {},
): Promise<z.infer<T>> {
  if (!isJson(c.req.header("content-type"))) {
    throw new AppError("unsupported_media_type", "Please send JSON, with Content-Type: application/json");
  }
  return parseJson(read ?? (await readWhole(c, bytesMax)), schema);
}

const readWhole = (c: Context, bytesMax: number): Promise<string> => readText(c, bytesMax).catch(throwBroken);

function throwBroken(error: unknown): never {
  if (error instanceof AppError) throw error;
  // Whoever hung up in the midst of a body hears nothing of this; it is no trouble of ours.
  throw new AppError("invalid_request", "The body broke off", { issues: [{ path: "", message: "it broke off" }] });
}

export function isJson(contentType: string | undefined): boolean {
  return contentType !== undefined && /^application\/json\s*(;|$)/i.test(contentType);
}

/** As readJson, for a body that may be left out, or be null; clients that send none may say that it is JSON. */
export async function readOptionalJson<T extends z.ZodType>(
  c: Context,
  schema: T,
  { bytesMax = BODY_BYTES_MAX }: { bytesMax?: number } = {},
): Promise<z.infer<T>> {
  const type = c.req.header("content-type");
  if (type !== undefined && !isJson(type)) return readJson(c, schema);
  const text = await readWhole(c, bytesMax);
  if (text === "" || (isJson(type) && text.trim() === "null")) return parseShape({}, schema);
  return readJson(c, schema, { read: text });
}

/** Throws invalid_request, with `issues: [{path, message}]`. */
export function parseJson<T extends z.ZodType>(text: string, schema: T): z.infer<T> {
  return parseShape(parseText(text), schema);
}

/** Throws invalid_request, as parseJson does; `value` is its own from then on. `at` names what is no part of a body. */
export function parseShape<T extends z.ZodType>(value: unknown, schema: T, at?: string): z.infer<T> {
  dropNulls(value, schema);
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues.map((issue) => ({ path: at ?? issue.path.join("."), message: issue.message }));
  const [first] = issues;
  const where = first?.path ? `${first.path}: ` : "";
  throw new AppError("invalid_request", `Invalid request: ${where}${first?.message}`, { issues });
}

/** The declared length is checked before anything is read; without one (chunked) the limit holds while reading. */
async function readText(c: Context, bytesMax: number): Promise<string> {
  const declared = c.req.header("content-length");
  if (declared !== undefined) {
    if (Number(declared) > bytesMax) throw tooLarge(bytesMax);
    return c.req.text();
  }
  const bytes = await readBytes(c.req.raw, bytesMax);
  if (bytes.length > bytesMax) throw tooLarge(bytesMax);
  return bytes.toString("utf8");
}

/** A body as it is received. Of one that is larger it gives somewhat more than `bytesMax`, and stops. */
export async function readBytes({ body }: Request, bytesMax: number): Promise<Buffer<ArrayBuffer>> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  try {
    for await (const part of body ?? []) {
      bytes += part.length;
      parts.push(part);
      if (bytes > bytesMax) break;
    }
  } catch (error) {
    throwBroken(error);
  }
  return Buffer.concat(parts);
}

function parseText(body: string): unknown {
  const text = body.startsWith("\ufeff") ? body.slice(1) : body; // some tools on Windows begin with a byte order mark
  try {
    return JSON.parse(text);
  } catch {
    const issues = [{ path: "", message: text === "" ? "the body is empty" : "the body is not valid JSON" }];
    throw new AppError("invalid_request", `Invalid request: ${issues[0]?.message}`, { issues });
  }
}

const tooLarge = (bytesMax: number) => new AppError("payload_too_large", `The body may have at most ${bytesMax} bytes`);
