import { describe, expect, it } from "vitest";
import { createEmptyDatabase } from "../support/empty-database.ts";
import { keybeat } from "../support/process.ts";

describe("keybeat migrate", () => {
  it("brings an empty database up to date, and the second time says that it is", async () => {
    await inEmptyDatabase(async (url) => {
      const first = await keybeat(["migrate"], { DATABASE_URL: url });
      expect(first.stdout).toMatch(/^applied [1-9]\d* migration\(s\)\n$/);
      expect([first.code, first.stderr]).toEqual([0, ""]);
      const second = await keybeat(["migrate"], { DATABASE_URL: url });
      expect(second).toEqual({ code: 0, stdout: "the schema is up to date\n", stderr: "" });
      expect((await keybeat(["keys", "create"], { DATABASE_URL: url })).code).toBe(0);
    });
  });

  it("is done once where three do it at the same time, and --json says by whom", async () => {
    await inEmptyDatabase(async (url) => {
      const results = await Promise.all([1, 2, 3].map(() => keybeat(["migrate", "--json"], { DATABASE_URL: url })));
      const reports = results.map(({ stdout }) => JSON.parse(stdout));
      expect(reports.map(({ applied }) => applied > 0).sort()).toEqual([false, false, true]);
      for (const { server_version } of reports) expect(server_version).toMatch(/^\d\d/);
      expect(results.map(({ code }) => code)).toEqual([0, 0, 0]);
    });
  });

  it("needs no migration before it: any command brings an empty database up to date", async () => {
    await inEmptyDatabase(async (url) => {
      expect((await keybeat(["keys", "list"], { DATABASE_URL: url })).stdout).toMatch(/^no keys yet/);
    });
  });
});

async function inEmptyDatabase(run: (url: string) => Promise<void>): Promise<void> {
  const { url, drop } = await createEmptyDatabase();
  await run(url).finally(drop);
}
