/** The match in the client's README works when it is pasted. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { useDatabase } from "../../support/database.ts";
import { JWT_SECRET, serviceToken } from "../../support/player-token.ts";
import { type RunningServer, startServer } from "../../support/process.ts";
import { runPasted } from "../support/pasted.ts";

const db = useDatabase();
let server: RunningServer;
beforeAll(async () => {
  server = await startServer({ DATABASE_URL: db.url, CLEANUP_CRON: "", HOST: "127.0.0.1", JWT_SECRET });
});
afterAll(async () => void (await server.stop()));

it("the match in the README works when it is pasted", async () => {
  const { stdout, stderr } = await runPasted("Game sessions", server.url, { "paste-a-token-here": serviceToken() });
  expect(stderr).toBe("");
  // How many states are seen before the last depends on who is faster.
  expect(stdout).toMatch(/^((active [01]|90)\n)*90\n((active [012]|finished 3)\n)*eliminated\n$/);
  expect(stdout).toContain("finished 3\n");
});
