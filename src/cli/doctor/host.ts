/** What can be said without the database: Node.js, the data folder, the port. */
import { accessSync, constants, existsSync, statSync } from "node:fs";
import { createServer } from "node:net";
import { dirname, join, resolve } from "node:path";
import type { Config } from "../../config.ts";
import { type Finding, fail, ok } from "./finding.ts";

const OLDEST_NODE = [20, 19] as const;
const ANSWER_MS_MAX = 3000;

export function checkNode(version = process.versions.node): Finding {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const isOld = major < OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor < OLDEST_NODE[1]);
  return isOld
    ? fail("node", `Node.js ${version} is too old`, "install 20.19 or later")
    : ok("node", `Node.js ${version}, ${process.platform}-${process.arch}`);
}

/** With a DATABASE_URL nothing is kept there. */
export async function checkDataDir(config: Config): Promise<Finding[]> {
  if (config.databaseUrl !== undefined) return [];
  const folder = resolve(config.dataDir);
  if (!existsSync(folder)) return [checkParent(folder)];
  if (!statSync(folder).isDirectory()) {
    return [fail("data folder", `${folder} is a file`, "set DATA_DIR to a folder")];
  }
  if (!isAllowed(folder)) {
    return [fail("data folder", `this user may not write in ${folder}`, `chown ${userName()} ${folder}`)];
  }
  const open = ["admin-token", "jwt-secret", "postgres-password", "database-url"].filter((name) =>
    isOpen(join(folder, name)),
  );
  if (open.length > 0) {
    const files = open.map((name) => join(folder, name)).join(" ");
    return [fail("data folder", `every user of this host can read ${open.join(", ")}`, `chmod 600 ${files}`)];
  }
  return [ok("data folder", folder)];
}

function checkParent(folder: string): Finding {
  let parent = dirname(folder);
  while (!existsSync(parent)) parent = dirname(parent);
  return isAllowed(parent)
    ? ok("data folder", `${folder} is not there yet; keybeat serve makes it`)
    : fail("data folder", `${folder} cannot be made, as this user may not write in ${parent}`, "set DATA_DIR");
}

function isAllowed(folder: string): boolean {
  try {
    accessSync(folder, constants.R_OK | constants.W_OK | constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Windows has no such modes. */
function isOpen(file: string): boolean {
  return process.platform !== "win32" && existsSync(file) && (statSync(file).mode & 0o077) !== 0;
}

const userName = () => process.env.USER ?? `uid ${process.getuid?.()}`;

/** Whether the service could listen there, or does. */
export async function checkPort({ host, port }: Pick<Config, "host" | "port">): Promise<Finding> {
  if (port === 0) return ok("port", "any free one");
  const own = await askService(host, port);
  if (own !== undefined) return ok("port", own);
  const reason = await tryToListen(host, port);
  if (reason === undefined) return ok("port", `${port} is free on ${host}`);
  const mends: Record<string, string> = {
    EADDRINUSE: "stop that program, or choose another port with PORT",
    EACCES: "choose a port from 1024 on with PORT",
    EADDRNOTAVAIL: "correct HOST: this machine has no such address",
    ENOTFOUND: "correct HOST: the name is unknown",
  };
  const what = reason === "EADDRINUSE" ? "is taken by another program" : `cannot be had (${reason})`;
  return fail("port", `${port} on ${host} ${what}`, mends[reason] ?? "correct HOST and PORT");
}

/** What answers at the port, if it is Keybeat. */
async function askService(host: string, port: number): Promise<string | undefined> {
  const name = host === "0.0.0.0" ? "127.0.0.1" : host === "::" ? "[::1]" : host.includes(":") ? `[${host}]` : host;
  // AbortSignal.timeout does not keep the process alive, and a fetch whose connection is cut at once does not either.
  const abort = new AbortController();
  const timer = setTimeout(() => abort.abort(), ANSWER_MS_MAX);
  try {
    const response = await fetch(`http://${name}:${port}/health`, { signal: abort.signal });
    const { version, database } = (await response.json()) as { version?: string; database?: string };
    return version && database ? `Keybeat ${version} answers at ${port}, its database is ${database}` : undefined;
  } catch {
    return undefined;
  } finally {
    clearTimeout(timer);
  }
}

function tryToListen(host: string, port: number): Promise<string | undefined> {
  return new Promise((done) => {
    const server = createServer();
    server.once("error", (error: NodeJS.ErrnoException) => done(error.code ?? error.message));
    server.listen(port, host, () => server.close(() => done(undefined)));
  });
}
