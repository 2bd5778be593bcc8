/**
 * PostgreSQL refuses to run as root. Started as root, its programs run as the system user `postgres` (made where it
 * is missing); otherwise as whoever we are.
 */
import { type ExecFileOptions, execFile } from "node:child_process";
import { statSync } from "node:fs";
import { dirname } from "node:path";
import { promisify } from "node:util";
import { OperatorError } from "../errors.ts";

const run = promisify(execFile);
const USER = "postgres";

export interface RunAs {
  /** Undefined: as ourselves. */
  owner: { uid: number; gid: number } | undefined;
  /** Runs a program of PostgreSQL to its end. Throws with the last thing that it said. */
  exec(program: string, args: string[], stop?: AbortSignal): Promise<string>;
}

/** `paths` are what the programs must reach: their own folder and the data. Throws an OperatorError if they cannot. */
export async function chooseRunAs(paths: string[]): Promise<RunAs> {
  if (process.getuid?.() !== 0)
    return { owner: undefined, exec: (program, args, stop) => exec(program, args, { signal: stop }) };
  const owner = await systemUser();
  if (paths.every((path) => canReach(path, owner))) {
    return { owner, exec: (program, args, stop) => exec(program, args, { ...owner, signal: stop }) };
  }
  // A checkout below /root or a private temporary folder: the user may not walk in there. It keeps root's leave to
  // pass (and nothing else of root's) so that nobody has to open the folder to everyone.
  const leave = [
    `--reuid=${owner.uid}`,
    `--regid=${owner.gid}`,
    "--clear-groups",
    "--inh-caps=+dac_override",
    "--ambient-caps=+dac_override",
    "--securebits=+no_setuid_fixup", // or access(), by which initdb looks for its programs, goes without that leave
    "--",
  ];
  await exec("setpriv", [...leave, "true"]).catch((error: Error) => {
    throw new OperatorError(
      `as root, the embedded PostgreSQL runs as the user ${USER}, who cannot enter ${paths.join(" or ")} ` +
        `(${error.message}): choose another folder, start Keybeat as another user, or set DATABASE_URL`,
    );
  });
  return { owner, exec: (program, args, stop) => exec("setpriv", [...leave, program, ...args], { signal: stop }) };
}

/** Runs a program to its end. Throws with the last thing that it said. */
async function exec(program: string, args: string[], how: ExecFileOptions = {}): Promise<string> {
  try {
    return (await run(program, args, { ...how, cwd: "/", env: plainEnvironment(), encoding: "utf8" })).stdout;
  } catch (error) {
    const { stderr, message } = error as { stderr?: string; message: string };
    throw new Error(stderr?.trim().split("\n").at(-1) || message.split("\n")[0], { cause: error });
  }
}

/** PostgreSQL's programs go by `PG…` and the locale of whoever's shell it is; a server of ours is the same everywhere. */
function plainEnvironment(): NodeJS.ProcessEnv {
  const isOurs = (name: string) => !/^(PG|LC_|LANG)/.test(name);
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => isOurs(name)));
}

async function systemUser(): Promise<{ uid: number; gid: number }> {
  const find = async () => {
    const [uid, gid] = await Promise.all([run("id", ["-u", USER]), run("id", ["-g", USER])]);
    return { uid: Number(uid.stdout), gid: Number(gid.stdout) };
  };
  try {
    return await find();
  } catch {
    try {
      await run("useradd", ["--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin", USER]);
    } catch {
      await run("adduser", ["-S", "-H", "-D", USER]).catch(() => {});
    }
    return await find().catch(() => {
      throw new OperatorError(
        `PostgreSQL refuses to run as root and the system user ${USER} could not be made: ` +
          "start Keybeat as another user, or set DATABASE_URL",
      );
    });
  }
}

/** Whether the user may walk through every folder above the path. */
function canReach(path: string, user: { uid: number; gid: number }): boolean {
  for (let folder = dirname(path); ; folder = dirname(folder)) {
    const { mode, uid, gid } = statSync(folder);
    const bit = uid === user.uid ? 0o100 : gid === user.gid ? 0o010 : 0o001;
    if ((mode & bit) === 0) return false;
    if (folder === dirname(folder)) return true;
  }
}
