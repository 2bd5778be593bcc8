import type { Hono, NotFoundHandler } from "hono";
import { AppError } from "../errors.ts";
import type { HttpEnv } from "./request-id.ts";

/** Unknown path: 404. A path that exists for other methods: 405, with what it allows. */
export function notFound(app: Hono<HttpEnv>): NotFoundHandler<HttpEnv> {
  return (c) => {
    const there = app.routes.filter((route) => route.method !== "ALL" && matches(route.path, c.req.path));
    const plain = there.filter((route) => route.path === c.req.path);
    const allowed = new Set(
      (plain.length > 0 ? plain : there).flatMap((route) =>
        route.method === "GET" ? ["GET", "HEAD"] : [route.method],
      ),
    );
    if (allowed.size === 0) throw new AppError("not_found", "There is nothing at this address");
    c.header("Allow", [...allowed].join(", "));
    throw new AppError("method_not_allowed", `This address takes ${[...allowed].join(", ")}`);
  };
}

/** Hono's route pattern, as far as we use it: plain parts and `:name`. */
function matches(pattern: string, path: string): boolean {
  const expected = pattern.split("/");
  const given = path.split("/", expected.length + 1);
  return (
    expected.length === given.length &&
    expected.every((part, at) => (part.startsWith(":") ? given[at] !== "" : part === given[at]))
  );
}
