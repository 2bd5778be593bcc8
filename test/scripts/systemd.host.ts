/** systemd finds nothing wrong with the units, and something wrong with spoiled ones. Needs systemd-analyze. */
import { spawnSync } from "node:child_process";
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { afterAll, describe, expect, it } from "vitest";

const UNITS = "scripts/deploy/systemd";
const folder = mkdtempSync(join(tmpdir(), "keybeat-systemd-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const text = (path: string) => readFileSync(path, "utf8");

describe("the units for systemd", () => {
  /** As they are, but for the program's place; a mistake may be put in. */
  const verify = (spoil: (unit: string) => string = (unit) => unit): string => {
    const program = join(folder, "opt/node_modules/.bin/keybeat");
    mkdirSync(dirname(program), { recursive: true });
    cpSync(resolve("dist/src/cli/keybeat.js"), program);
    chmodSync(program, 0o755);
    for (const name of readdirSync(UNITS)) {
      const unit = text(`${UNITS}/${name}`).replaceAll("/opt/keybeat", join(folder, "opt"));
      writeFileSync(join(folder, name.replace("@", "@3000")), spoil(unit));
    }
    const units = readdirSync(folder).filter((name) => /\.(service|timer)$/.test(name));
    expect(units).toHaveLength(3);
    return spawnSync("systemd-analyze", ["verify", ...units.map((name) => join(folder, name))], { encoding: "utf8" })
      .stderr;
  };

  it("are right to systemd-analyze verify, which finds a mistake where there is one", () => {
    expect(verify()).toBe("");
    expect(verify((unit) => unit.replace("KillMode=mixed", "KillMode=gently"))).toContain("Failed to parse kill mode");
    expect(verify((unit) => unit.replace("/.bin/keybeat", "/.bin/nothing"))).toContain("is not executable");
  });
});
