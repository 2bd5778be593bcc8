/** The run in the client's README works when it is pasted. */
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { afterAll, expect, it } from "vitest";
import { useDatabase } from "../../support/database.ts";
import { useService } from "./support/service.ts";

const service = useService(useDatabase());
const folder = mkdtempSync(join(tmpdir(), "keybeat-batch-readme-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it("the run in the README works when it is pasted", async () => {
  const readme = readFileSync("src/client/README.md", "utf8");
  const pasted = /^## Batch sessions\n.*?```ts\n(.*?)```/ms.exec(readme)?.[1] as string;
  expect(pasted).toContain('"http://127.0.0.1:3000"');
  mkdirSync(join(folder, "node_modules"));
  symlinkSync(resolve("."), join(folder, "node_modules/keybeat"));
  writeFileSync(join(folder, "run.mjs"), pasted.replace("http://127.0.0.1:3000", service.url));
  const { stdout, stderr } = await promisify(execFile)(process.execPath, ["run.mjs"], { cwd: folder });
  expect(stderr).toBe("");
  expect(stdout).toMatch(/^0 of 4\n(\d of 4\n)+completed [0-9a-f-]{36}\n(100 %\n)+4\n$/);
  expect(stdout).toContain("\n4 of 4\ncompleted");
});
