/** The TypeScript client against the table that every client has to meet, in virtual time. */
import { describe, expect, it } from "vitest";
import { runScenario } from "./support/run-scenario.ts";
import { table } from "./support/scenario.ts";

describe("the conformance table", () => {
  for (const scenario of table.scenarios) {
    it(`${scenario.name}: ${scenario.promise}`, async () => {
      for (const chance of [0, 0.5, 0.999]) {
        expect(await runScenario(scenario, chance), `with ${chance} from the random source`).toEqual([]);
      }
    });
  }

  it("names every scenario once", () => {
    const names = table.scenarios.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
  });
});
