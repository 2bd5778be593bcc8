/** As proof-model.long.ts, in fewer stories. */
import { expect, it } from "vitest";
import { useDatabase } from "../../support/database.ts";
import { tellProofs } from "./support/proof-model.ts";

const db = useDatabase();

it("takes nothing for a copy in 1,000 random stories, and tells both sides of each of 500 real ones", async () => {
  expect(await tellProofs(db, { honest: 1_000, copies: 500 })).toBe("as due");
});
