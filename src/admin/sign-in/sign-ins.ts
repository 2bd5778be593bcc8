/**
 * The page's sign-ins: a cookie signed by a key made from the admin token, so it holds in any process, also while the
 * database is away, and a changed token ends every sign-in. It holds for 12 hours; one that is ended before stands in
 * the database until then.
 *
 *   signed in ─┬─► signed out (this one, one by name, or all until now)
 *              └─► over after 12 hours
 */
import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import type { Operator } from "../../audit/operator.ts";
import type { Database } from "../../database/database.ts";
import type { FindEndedSignIns, SignedIn } from "../../http/admin-auth.ts";
import { createTokenCheck } from "../../http/bearer.ts";
import { endSignIns, insertSignIn, selectEndedSignIns } from "./sql.ts";

export const HOLDS_SECONDS = 12 * 3600;

export interface SignIns {
  isToken(given: string): boolean;
  /** The sign-in of that cookie; undefined where there is none, or its time is over. */
  read(cookie: string | undefined): SignedIn | "forged" | undefined;
  findEnded: FindEndedSignIns;
  /** For a browser at that address: its cookie, and the token that goes with it. */
  begin(from: string | null): Promise<{ cookie: string; csrfToken: string }>;
  /** Ends the sign-in of that name, for good; with none, all that began until now. */
  end(name: string | undefined, by: Operator): Promise<void>;
}

export function createSignIns(database: Database, adminToken: string): SignIns {
  const key = createHmac("sha256", adminToken).update("keybeat page sign-in").digest();
  const sign = (text: string) => createHmac("sha256", key).update(text).digest("base64url");
  const csrfTokenOf = (payload: string) => sign(`csrf ${payload}`);

  return {
    isToken: createTokenCheck(adminToken),

    read(cookie) {
      if (cookie === undefined) return undefined;
      const [name = "", until = "", signature = ""] = cookie.split(".");
      const payload = `${name}.${until}`;
      const expected = Buffer.from(sign(payload));
      const given = Buffer.from(signature);
      if (given.length !== expected.length || !timingSafeEqual(given, expected)) return "forged";
      if (Number(until) <= Date.now()) return undefined;
      return { name, csrfToken: csrfTokenOf(payload), since: Number(until) - HOLDS_SECONDS * 1000 };
    },

    findEnded: (signIns) => selectEndedSignIns(database, signIns),

    async begin(from) {
      const name = randomBytes(4).toString("hex");
      // The page says while the database is away that it is away: for that, too, somebody must be able to sign in.
      const since = await insertSignIn(database, { who: `page ${name}`, from }).catch(() => Date.now());
      const payload = `${name}.${since + HOLDS_SECONDS * 1000}`;
      return { cookie: `${payload}.${sign(payload)}`, csrfToken: csrfTokenOf(payload) };
    },

    end: (name, by) => endSignIns(database, name, by),
  };
}
