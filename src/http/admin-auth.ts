import { createHash, timingSafeEqual } from "node:crypto";
import type { MiddlewareHandler } from "hono";
import { AppError } from "../errors.ts";
import type { HttpEnv } from "./request-id.ts";

/** Lets only the operator pass: `Authorization: Bearer <token>` or, as older scripts send it, `X-Admin-Password`. */
export function adminAuth(token: string): MiddlewareHandler<HttpEnv> {
  const expected = digest(token);
  return async (c, next) => {
    const bearer = /^Bearer\s+(.+)$/i.exec(c.req.header("authorization") ?? "")?.[1];
    const given = bearer ?? c.req.header("x-admin-password");
    // Digests have one length, so the comparison takes one time whatever was sent.
    if (given === undefined || !timingSafeEqual(digest(given), expected)) {
      c.header("WWW-Authenticate", 'Bearer realm="keybeat admin"');
      throw new AppError("unauthorized", "The admin token is missing or wrong");
    }
    await next();
  };
}

const digest = (text: string) => createHash("sha256").update(text, "utf8").digest();
