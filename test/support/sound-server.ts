/** The tests' own server does not wait for the disk (global-setup.ts), which `keybeat doctor` rightly fails. */
import postgres from "postgres";
import { beforeAll, inject } from "vitest";
import { waitUntil } from "./wait-until.ts";

/** For a test file: the server waits for the disk from now on, for the files after it too. */
export function useSoundServer(): void {
  beforeAll(async () => {
    const admin = postgres(inject("serverUrl"), { max: 1, onnotice: () => {} });
    await admin`ALTER SYSTEM RESET fsync`;
    await admin`SELECT pg_reload_conf()`;
    await waitUntil(async () => (await admin`SHOW fsync`)[0]?.fsync === "on");
    await admin.end();
  });
}
