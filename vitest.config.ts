import { defineConfig } from "vitest/config";

/** `--mode host`: the tests that need programs of the host's (pg_dump, systemd-analyze). */
export default defineConfig(({ mode }) => ({
  test: {
    include: [mode === "host" ? "test/**/*.host.ts" : "test/**/*.test.ts"],
    globalSetup: ["test/support/global-setup.ts"],
    setupFiles: ["test/support/answers.ts"],
    pool: "forks",
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // Many files wait for time to pass; more at once than cores keeps the suite short.
    maxWorkers: 3,
  },
}));
