import { spawn } from "node:child_process";
import { expect } from "vitest";

/** Runs a demonstration to its end, which must tell these lines in their order, and returns all that it printed. */
export async function runDemo(script: string, story: RegExp[]): Promise<string> {
  const { PATH = "", HOME = "" } = process.env;
  const child = spawn("npm", ["run", "--silent", script], { env: { PATH, HOME } });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk) => {
      output += chunk;
    });
  }
  const code = await new Promise((resolve) => child.once("close", resolve));
  let from = 0;
  for (const line of story) {
    const at = output.slice(from).search(line);
    expect(at, `${line} in order in:\n${output}`).toBeGreaterThanOrEqual(0);
    from += at;
  }
  expect(code).toBe(0);
  return output;
}
