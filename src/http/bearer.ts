/** Bearer tokens: how to read, compare and ask for one. */
import { createHash, timingSafeEqual } from "node:crypto";
import type { Context } from "hono";
import { AppError } from "../errors.ts";

/** What follows `Bearer`; undefined if the header does not have this form. */
export function readBearer(c: Context, form = /^\S+$/): string | undefined {
  const given = /^Bearer\s+(\S.*)$/i.exec(c.req.header("authorization") ?? "")?.[1];
  return given !== undefined && form.test(given) ? given : undefined;
}

/** `realm` names what the token is for. */
export function unauthorized(c: Context, realm: string, message: string): AppError {
  c.header("WWW-Authenticate", `Bearer realm="${realm}"`);
  return new AppError("unauthorized", message);
}

/** Compares digests, which have equal lengths, so that timing reveals nothing. */
export function createTokenCheck(token: string): (given: string) => boolean {
  const expected = digest(token);
  return (given) => timingSafeEqual(digest(given), expected);
}

const digest = (text: string) => createHash("sha256").update(text, "utf8").digest();
