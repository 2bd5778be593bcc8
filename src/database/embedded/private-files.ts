/**
 * The files of the data folder: readable only by their owner from the first moment, whatever the umask, and written
 * atomically. Links are not followed: if another user owns the folder, a link must not lead root elsewhere.
 */
import { randomBytes } from "node:crypto";
import { constants, existsSync } from "node:fs";
import { copyFile, type FileHandle, link, lstat, open, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";

const { COPYFILE_EXCL, O_APPEND, O_CREAT, O_EXCL, O_RDONLY, O_WRONLY } = constants;
/** Undefined on Windows. A pipe in the file's place must not block us. */
const NO_TRICKS = (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);
const STALE_MS = 3_600_000;

/** Throws ENOENT if it is missing. */
export async function readPrivate(path: string): Promise<string> {
  const file = await openPrivate(path, O_RDONLY);
  try {
    return await file.readFile("utf8");
  } finally {
    await file.close();
  }
}

/** Opens it for appending, creating it if it is missing. */
export const openPrivateLog = (path: string): Promise<FileHandle> => openPrivate(path, O_WRONLY | O_APPEND | O_CREAT);

/** Creates the file unless it exists. Of several processes one wins, and none reads half of it. */
export async function createPrivate(path: string, text: string): Promise<void> {
  if (existsSync(path)) return;
  await publish(path, text, async (fresh) => {
    // Not every file system has hard links.
    await link(fresh, path).catch(unlessThere(() => copyFile(fresh, path, COPYFILE_EXCL).catch(unlessThere())));
    await rm(fresh);
  });
}

/** Replaces the file atomically. */
export const replacePrivate = (path: string, text: string): Promise<void> =>
  publish(path, text, (fresh) => rename(fresh, path));

async function publish(path: string, text: string, put: (fresh: string) => Promise<void>): Promise<void> {
  const fresh = `${path}.new-${randomBytes(6).toString("hex")}`;
  const file = await open(fresh, O_WRONLY | O_CREAT | O_EXCL | NO_TRICKS, 0o600);
  try {
    await file.writeFile(text).finally(() => file.close());
    await put(fresh);
  } catch (error) {
    await rm(fresh, { force: true });
    throw error;
  }
}

const unlessThere =
  (otherwise?: () => Promise<void>) =>
  (error: NodeJS.ErrnoException): Promise<void> | undefined => {
    if (error.code === "EEXIST") return undefined;
    if (otherwise) return otherwise();
    throw error;
  };

async function openPrivate(path: string, flags: number): Promise<FileHandle> {
  const file = await open(path, flags | NO_TRICKS, 0o600);
  try {
    const found = await file.stat();
    // A file with a second name may be somebody else's: it is neither written nor changed.
    const isOurs = found.isFile() && found.nlink === 1;
    if (!isOurs && flags !== O_RDONLY) throw new Error(`${path} is a link, or no file`);
    if (isOurs && process.platform !== "win32" && (found.mode & 0o077) !== 0) await file.chmod(0o600);
    return file;
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** Removes what killed processes left half-made. */
export async function removeStale(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (!/\.new-\w+$/.test(name)) continue;
    const path = join(folder, name);
    const found = await lstat(path).catch(() => undefined);
    if (found && Date.now() - found.mtimeMs > STALE_MS) await rm(path, { recursive: true, force: true });
  }
}
