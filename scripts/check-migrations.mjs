// Fails if drizzle/ and migrations/ differ: somebody changed a table without `npm run generate`.
import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";

const folder = mkdtempSync(join(tmpdir(), "keybeat-migrations-"));
try {
  cpSync("migrations", folder, { recursive: true });
  const before = readdirSync(folder).length;
  const out = relative(process.cwd(), folder);
  const args = ["drizzle-kit", "generate", "--dialect", "postgresql", "--schema", "./drizzle/*.ts", "--out", out];
  const said = execFileSync("npx", args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
  if (readdirSync(folder).length !== before) {
    console.error(`drizzle/ and migrations/ differ: run "npm run generate" and commit what it writes\n${said}`);
    process.exit(1);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
