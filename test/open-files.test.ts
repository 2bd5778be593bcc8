/** What a process may open, what of it is for connections, and that it says when nothing is left. */
import { expect, it } from "vitest";
import { checkLimits } from "../src/cli/doctor/limits.ts";
import { createLog } from "../src/log.ts";
import {
  boundConnections,
  createShortageReport,
  findFileShortage,
  limitOf,
  RESERVED_FILES,
} from "../src/open-files.ts";

it("reads the soft limit as Linux writes it", () => {
  const text =
    "Max processes             96364                96364                processes \nMax open files            1024                 1048576              files     \n";
  expect([limitOf(text, "Max open files"), limitOf(text, "Max processes")]).toEqual([1024, 96364]);
  expect(limitOf("Max open files            unlimited            unlimited            files", "Max open files")).toBe(
    undefined,
  );
});

it("leaves files for the database, whatever an operator wants", () => {
  expect(boundConnections(undefined, 1024)).toBe(1024 - RESERVED_FILES);
  expect(boundConnections(100, 1024)).toBe(100);
  expect(boundConnections(5000, 1024)).toBe(1024 - RESERVED_FILES);
  expect(boundConnections(undefined, 64)).toBe(16);
});

it("says once a minute that no file can be opened", () => {
  const lines: Array<Record<string, unknown>> = [];
  const report = createShortageReport(createLog("info", { write: (line: string) => lines.push(JSON.parse(line)) }));
  expect(report(findFileShortage())).toBe(false);
  for (let n = 0; n < 3; n++) expect(report("EMFILE")).toBe(true);
  expect(lines).toMatchObject([{ level: 50, code: "EMFILE", open_files_max: expect.any(Number) }]);
});

it.each([
  [{ openFiles: 20_000, processes: 1000, backlog: 4096 }, { workers: 4 }, ["ok", "ok"]],
  [{ openFiles: undefined, processes: undefined, backlog: undefined }, { workers: 4 }, ["ok", "ok"]],
  [{ openFiles: 256, processes: 40, backlog: 128 }, { workers: 4 }, ["warn", "warn", "warn"]],
  [{ openFiles: 1024, processes: 1000, backlog: 4096 }, { workers: 1, connectionsMax: 2000 }, ["warn", "ok"]],
])("the doctor says of %j with %j: %j", (limits, config, states) => {
  const databaseUrl = "postgres://u@h/d";
  const found = checkLimits(
    {
      databaseUrl,
      workers: config.workers,
      connectionsMax: "connectionsMax" in config ? config.connectionsMax : undefined,
    },
    limits,
  );
  expect(found.map(({ state }) => state)).toEqual(states);
});
