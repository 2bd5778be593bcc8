import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { expect } from "vitest";

/** Runs what the client's README shows under a heading, as it stands but for the address, in a folder that has the package. */
export async function runPasted(
  heading: string,
  url: string,
  env: Record<string, string> = {},
): Promise<{ stdout: string; stderr: string }> {
  const folder = mkdtempSync(join(tmpdir(), "keybeat-client-readme-"));
  try {
    const readme = readFileSync("src/client/README.md", "utf8");
    const [, section = ""] = readme.split(`\n## ${heading}\n`);
    const pasted = /```ts\n([\s\S]*?)```/.exec(section)?.[1] as string;
    expect(pasted).toContain('"http://127.0.0.1:3000"');
    mkdirSync(join(folder, "node_modules"));
    symlinkSync(resolve("."), join(folder, "node_modules/keybeat"));
    writeFileSync(join(folder, "run.mjs"), pasted.replace("http://127.0.0.1:3000", url));
    const { PATH = "" } = process.env;
    return await promisify(execFile)(process.execPath, ["run.mjs"], { cwd: folder, env: { PATH, ...env } });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
