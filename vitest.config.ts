import { readdirSync } from "node:fs";
import { defineConfig } from "vitest/config";
import { sampleOfToday } from "./test/support/sample.ts";

/** `--mode short` runs every eighth of `*.long.ts`, others each day. */
const SAMPLE = 8;
/** The part of the stories and mutants that it takes. */
const SHARE = 1 / 4;
/** These prove the guarantees, and run each time. */
const ALWAYS = /sessions\/.*(model|mutations|races)/;

/**
 * `*.test.ts` is for who has just cloned the project: it takes minutes. `*.long.ts` takes longer: all of it runs with
 * `--mode long`, a sample with a share of its stories and mutants with `--mode short`. `*.host.ts` needs programs of the
 * host's (`--mode host`).
 */
export default defineConfig(({ mode }) => ({
  test: {
    include: mode === "short" ? sampleLong() : [`test/**/*.${mode}.ts`],
    globalSetup: ["test/support/global-setup.ts"],
    setupFiles: ["test/support/answers.ts"],
    reporters: ["default", "./test/support/progress.ts"],
    provide: { share: mode === "short" ? SHARE : 1 },
    pool: "forks",
    testTimeout: 180_000,
    hookTimeout: 180_000,
    // A poll ends with the event that it waits for; this only says when to give up, on the slowest machine.
    expect: { poll: { timeout: 60_000 } },
    // Many files wait for time to pass; more at once than cores keeps the suite short.
    maxWorkers: 3,
  },
}));

function sampleLong(): string[] {
  const files = readdirSync("test", { recursive: true, encoding: "utf8" });
  const long = files.filter((file) => file.endsWith(".long.ts")).sort();
  const others = long.filter((file) => !ALWAYS.test(file));
  const chosen = [...long.filter((file) => ALWAYS.test(file)), ...sampleOfToday(others, SAMPLE)];
  return chosen.map((file) => `test/${file}`);
}
