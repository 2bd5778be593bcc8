/** The layer rules say no to the imports that they are there for: one planted for each, in a copy of the tree. */
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const RULES = ".dependency-cruiser.cjs";

/** Rule, file, what it imports. Every file is new, so that nothing of the product is bent. */
const PLANTS: Array<[rule: string, file: string, imports: string]> = [
  ["no-circular", "src/keys/planted-a.ts", "./planted-b.ts"],
  ["only-sql-knows-the-database", "src/keys/planted-driver.ts", "postgres"],
  ["only-sql-knows-the-database", "src/http/planted-drizzle.ts", "drizzle-orm/postgres-js"],
  ["only-sql-knows-the-database", "src/sessions/device/planted-table.ts", "../../../drizzle/keys.ts"],
  ["only-routes-know-hono", "src/sessions/device/planted-verb.ts", "hono"],
  ["only-sql-knows-the-database", "src/keys/planted-nosql.ts", "postgres"],
  ["only-routes-know-hono", "src/cli/planted-server.ts", "@hono/node-server"],
  ["only-routes-know-hono", "src/admin/keys/planted-verb.ts", "hono"],
  ["kinds-are-strangers", "src/sessions/planted/index.ts", "../device/index.ts"],
  ["kinds-are-strangers", "src/sessions/device/planted-kind.ts", "../planted/contract.ts"],
  ["kinds-have-one-door", "src/planted-composition.ts", "./sessions/device/index.ts"],
  ["kinds-have-one-door", "src/jobs/planted-job.ts", "../sessions/waiting-room/cleanup.ts"],
  ["kinds-have-one-door", "src/http/planted-part.ts", "../sessions/planted/contract.ts"],
  ["verbs-do-not-know-routes", "src/sessions/device/planted-back.ts", "./routes.ts"],
  ["verbs-do-not-know-routes", "src/admin/keys/planted-back.ts", "./import-route.ts"],
  ["verbs-do-not-know-routes", "src/keys/planted-back.ts", "../admin/planted/planted-routes.ts"],
  ["routes-know-no-sql", "src/admin/keys/planted-routes.ts", "../../keys/sql.ts"],
  ["routes-know-no-sql", "src/admin/device/planted-route.ts", "../../sessions/device/live-sql.ts"],
  ["routes-know-no-sql", "src/sessions/planted/planted-routes.ts", "./sql.ts"],
  ["routes-know-no-sql", "src/sessions/planted-too/index.ts", "./sql.ts"],
  ["routes-know-no-sql", "src/http/planted-sql-knower.ts", "../audit/sql.ts"],
  ["verbs-do-not-know-routes", "src/sessions/device/planted-door.ts", "./kind.ts"],
  ["verbs-do-not-know-routes", "src/admin/planted-door.ts", "../sessions/device/kind.ts"],
  ["sql-knows-no-verbs", "src/sessions/planted/sql.ts", "../../keys/create.ts"],
  ["sql-knows-no-verbs", "src/admin/keys/planted-sql.ts", "./search.ts"],
  ["sql-knows-no-verbs", "src/sessions/planted/deep/sql.ts", "../index.ts"],
  ["nothing-knows-the-root", "src/keys/planted-root.ts", "../main.ts"],
  ["nothing-knows-the-root", "src/http/planted-command.ts", "../cli/output.ts"],
  ["the-sdk-stands-alone", "src/client/planted-node.ts", "node:fs"],
  ["the-sdk-stands-alone", "src/client/planted-server.ts", "../errors.ts"],
  ["the-sdk-stands-alone", "src/client/planted-package.ts", "zod"],
  ["the-page-stands-alone", "src/admin/page/client/planted-server.ts", "../../../errors.ts"],
  ["the-demo-stands-alone", "src/sessions/waiting-room/demo/client/planted-verb.ts", "../../close.ts"],
  ["the-key-page-stands-alone", "src/sessions/device/key-page/client/planted-verb.ts", "../../end.ts"],
  ["no-dev-dependency-in-the-product", "src/keys/planted-dev.ts", "vitest"],
  ["not-to-unresolvable", "src/keys/planted-nowhere.ts", "./no-such-file.ts"],
  ["not-to-test", "src/keys/planted-test.ts", "../../test/planted.ts"],
];

/** What the plants above need to be there. */
const BESIDE: Array<[file: string, imports: string]> = [
  ["src/keys/planted-b.ts", "./planted-a.ts"],
  ["src/admin/planted/planted-routes.ts", "zod"],
  ["src/sessions/planted-too/sql.ts", "zod"],
];

/** Imports that look alike and are right. */
const ALLOWED: Array<[file: string, imports: string]> = [
  ["src/sessions/planted/routes.ts", "hono"],
  ["src/admin/planted/other-route.ts", "hono"],
  ["src/admin/planted/routes.ts", "./planted-routes.ts"],
  ["src/sessions/planted/kind.ts", "hono"],
  ["src/jobs/planted-list.ts", "../sessions/kinds.ts"],
  ["src/sessions/planted/contract.ts", "zod"],
  ["src/sessions/planted/live-sql.ts", "../../keys/filter-sql.ts"],
  ["src/database/planted-driver.ts", "postgres"],
  ["src/client/planted-contract.ts", "../sessions/planted/contract.ts"],
  ["test/planted.ts", "vitest"],
];

let folder: string;
let before: { code: number | null; output: string };
let after: { code: number | null; output: string };

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "keybeat-layers-"));
  for (const name of ["src", "drizzle", "scripts", "test", "package.json", "tsconfig.json", RULES]) {
    cpSync(name, join(folder, name), { recursive: true });
  }
  symlinkSync(resolve("node_modules"), join(folder, "node_modules"));
  before = cruise();
  for (const [file, imports] of [...PLANTS.map(([, ...plant]) => plant), ...BESIDE, ...ALLOWED]) {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    writeFileSync(join(folder, file), `import * as planted from "${imports}";\nexport const kept = planted;\n`);
  }
  after = cruise();
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The very command of `npm run check`. */
function cruise(): { code: number | null; output: string } {
  const { scripts } = JSON.parse(readFileSync("package.json", "utf8")) as { scripts: { check: string } };
  const command = scripts.check.split("&&").find((part) => part.trim().startsWith("depcruise ")) as string;
  const [, ...args] = command.trim().split(" ");
  const program = join(folder, "node_modules", ".bin", "depcruise");
  const { status, stdout, stderr } = spawnSync(program, args, { cwd: folder, encoding: "utf8" });
  return { code: status, output: stdout + stderr };
}

const complaints = (output: string) => output.split("\n").filter((line) => /^\s*(error|warn) /.test(line));

describe("the layer rules", () => {
  it("have nothing to say about the tree as it is", () => {
    expect(complaints(before.output)).toEqual([]);
    expect(before).toMatchObject({ code: 0, output: expect.stringContaining("no dependency violations found") });
  });

  it.each(PLANTS)("%s: %s must not import %s", (rule, file) => {
    expect(after.code).not.toBe(0);
    expect(complaints(after.output).filter((line) => line.trim().startsWith(`error ${rule}: ${file} `))).not.toEqual(
      [],
    );
  });

  it.each(ALLOWED)("%s may import %s", (file) => {
    expect(complaints(after.output).filter((line) => line.includes(`: ${file} `))).toEqual([]);
  });

  it("are each proved here", () => {
    const { forbidden } = createRequire(import.meta.url)(resolve(RULES)) as { forbidden: Array<{ name: string }> };
    expect([...new Set(PLANTS.map(([rule]) => rule))].sort()).toEqual(forbidden.map((rule) => rule.name).sort());
  });
});
