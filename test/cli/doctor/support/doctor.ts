/** For the tests of `keybeat doctor`: an installation with one thing wrong at a time, and its findings. */
import type { Server } from "node:net";
import { afterEach, expect } from "vitest";
import type { Finding } from "../../../../src/cli/doctor/finding.ts";
import { useDatabase } from "../../../support/database.ts";
import { keybeat } from "../../../support/process.ts";
import { useSoundServer } from "../../../support/sound-server.ts";

/** For a test file: a database to examine, the doctor, and how to spoil something that is whole again after the test. */
export function useDoctor() {
  const db = useDatabase();
  const undo: Array<() => unknown> = [];
  useSoundServer();
  afterEach(async () => {
    for (const step of undo.splice(0).reverse()) await step();
  });
  return {
    db,
    undo,

    /** What it found, and that words, JSON and exit code agree. */
    async doctor(env: Record<string, string> = {}): Promise<Finding[]> {
      const all = { DATABASE_URL: db.url, PORT: "0", ...env };
      const { code, stdout, stderr } = await keybeat(["doctor", "--json"], all);
      const findings = stdout
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line) as Finding);
      const failed = findings.filter(({ state }) => state === "fail").length;
      expect([code, stderr]).toEqual(failed === 0 ? [0, ""] : [1, `keybeat: ${failed} thing(s) must be mended\n`]);
      for (const { state, mend } of findings) expect(mend === undefined).toBe(state === "ok");
      return findings;
    },

    /** One statement that spoils something, one that mends it. */
    async spoil(statement: string, mend: string): Promise<void> {
      await db.sql.unsafe(statement);
      undo.push(() => db.sql.unsafe(mend));
    },

    async listen(server: Server): Promise<number> {
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      undo.push(() => server.close());
      return (server.address() as { port: number }).port;
    },
  };
}

export const of = (findings: Finding[], check: string) => findings.filter((finding) => finding.check === check);
