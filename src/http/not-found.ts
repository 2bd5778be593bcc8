import type { Hono, NotFoundHandler } from "hono";
import { AppError } from "../errors.ts";
import { fits, nothingHere, writtenPath } from "./as-written.ts";
import type { HttpEnv } from "./request-id.ts";

/**
 * Unknown path: 404. A path that exists for other methods: 405 with `Allow`. A `.` or `..` as a name, which the router
 * took for a step: 400.
 */
export function notFound(app: Hono<HttpEnv>): NotFoundHandler<HttpEnv> {
  return (c) => {
    const path = writtenPath(c);
    const there = app.routes.filter((route) => route.method !== "ALL" && fits(route.path, path));
    const plain = there.filter((route) => route.path === path);
    const allowed = new Set(
      (plain.length > 0 ? plain : there).flatMap((route) =>
        route.method === "GET" ? ["GET", "HEAD"] : [route.method],
      ),
    );
    if (allowed.size === 0) throw nothingHere();
    if (allowed.has(c.req.method)) throw new AppError("invalid_request", `Invalid request: ${STEP}`, { issues });
    c.header("Allow", [...allowed].join(", "));
    throw new AppError("method_not_allowed", `This address takes ${[...allowed].join(", ")}`);
  };
}

const STEP = "no name in an address is . or ..";
const issues = [{ path: "", message: STEP }];
