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
  const lines = stdout.trimEnd().split("\n");
  expect(lines.sort()).toEqual(["1 action", "2 action", "3 ended", "90", "finished"]);
  expect(stdout.endsWith("finished\n")).toBe(true);
});
