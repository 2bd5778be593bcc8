import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { expect } from "vitest";

/** Runs what the client's README shows under a heading, as it stands but for the address and `paste-…-here`, beside the package. */
export async function runPasted(
  heading: string,
  url: string,
  pasted: Record<string, string> = {},
): Promise<{ stdout: string; stderr: string }> {
  const folder = mkdtempSync(join(tmpdir(), "keybeat-client-readme-"));
  try {
    const readme = readFileSync("src/client/README.md", "utf8");
    const [, section = ""] = readme.split(`\n## ${heading}\n`);
    const shown = /```ts\n([\s\S]*?)```/.exec(section)?.[1] as string;
    expect(shown).toContain('"http://127.0.0.1:3000"');
    mkdirSync(join(folder, "node_modules"));
    symlinkSync(resolve("."), join(folder, "node_modules/keybeat"));
    let text = shown.replace("http://127.0.0.1:3000", url);
    for (const [place, value] of Object.entries(pasted)) text = text.replace(place, value);
    writeFileSync(join(folder, "run.mjs"), text);
    return await promisify(execFile)(process.execPath, ["run.mjs"], { cwd: folder });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
