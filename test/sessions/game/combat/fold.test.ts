import { expect, it } from "vitest";
import { useApp } from "../../../support/app.ts";
import { useDatabase } from "../../../support/database.ts";
import { checkFights } from "./support/check-fights.ts";

const db = useDatabase();
const app = useApp(db);

it("the events of 25 long random fights fold to what is stored and to what GET says", async () => {
  expect((await checkFights(db, app, 25)).get("action")).toBeGreaterThan(250);
});
