import type { Context } from "hono";
import { z } from "zod";
import { noSuchSession } from "../sessions/no-such-session.ts";

/** The session's id in the path. What is none names no session either. */
export function idOf(c: Context, name = "session_id"): string {
  const id = z.guid().safeParse(c.req.param(name));
  if (!id.success) throw noSuchSession();
  return id.data;
}
