/** Bearer tokens: how one is read from a request, compared, and asked for. */
import { createHash, timingSafeEqual } from "node:crypto";
import type { Context } from "hono";
import { AppError } from "../errors.ts";

/** What comes after `Bearer`; undefined where that has not this form. */
export function readBearer(c: Context, form = /^\S+$/): string | undefined {
  const given = /^Bearer\s+(\S.*)$/i.exec(c.req.header("authorization") ?? "")?.[1];
  return given !== undefined && form.test(given) ? given : undefined;
}

/** `realm` names what the token is for. */
export function unauthorized(c: Context, realm: string, message: string): AppError {
  c.header("WWW-Authenticate", `Bearer realm="${realm}"`);
  return new AppError("unauthorized", message);
}

/** Digests have one length, so the comparison takes one time whatever was sent. */
export function createTokenCheck(token: string): (given: string) => boolean {
  const expected = digest(token);
  return (given) => timingSafeEqual(digest(given), expected);
}

const digest = (text: string) => createHash("sha256").update(text, "utf8").digest();
