import { useApp } from "../../../support/app.ts";
import { cloneDatabase, type TestDatabase, useDatabase } from "../../../support/database.ts";
import { keybeat } from "../../../support/process.ts";
import { newSessionId } from "../../../support/secrets.ts";

type Keys = (...args: string[]) => ReturnType<typeof keybeat>;

const keysOf =
  (db: TestDatabase): Keys =>
  (...args) =>
    keybeat(["keys", ...args], { DATABASE_URL: db.url });

/** `keybeat keys` on a database, and the service on the same one. */
export function useKeys() {
  const db = useDatabase();
  const app = useApp(db);
  const start = (access_key: string, session_id = newSessionId()) =>
    app.post("/api/session/start", { access_key, session_id });
  return {
    db,
    app,
    keys: keysOf(db),
    start,
    codeOf: async (access_key: string) => (await start(access_key)).body.code as string | undefined,
  };
}

/** For tests that must know all existing keys. */
export async function inDatabaseOfItsOwn(run: (own: TestDatabase, keys: Keys) => Promise<void>): Promise<void> {
  const own = await cloneDatabase();
  await run(own, keysOf(own)).finally(own.drop);
}
