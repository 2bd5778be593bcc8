/** The run in the client's README works when it is pasted. */
import { expect, it } from "vitest";
import { useDatabase } from "../../support/database.ts";
import { runPasted } from "../support/pasted.ts";
import { useService } from "./support/service.ts";

const service = useService(useDatabase());

it("the run in the README works when it is pasted", async () => {
  const { stdout, stderr } = await runPasted("Batch sessions", service.url);
  expect(stderr).toBe("");
  expect(stdout).toMatch(/^0 of 4\n(\d of 4\n)+completed [0-9a-f-]{36}\n(100 %\n)+4\n$/);
  expect(stdout).toContain("\n4 of 4\ncompleted");
});
