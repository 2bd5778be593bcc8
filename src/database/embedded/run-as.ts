/**
 * How PostgreSQL's programs are run: as whom, where, and with what of ours.
 *
 * PostgreSQL refuses to run as root. Started as root, its programs run as the system user `postgres` (made where it is
 * missing) with no capability and no way to gain one. The data may all the same lie below a folder that only root may
 * enter: the programs are started inside of it, and name it /proc/self/cwd, a way that passes no folder above.
 */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { promisify } from "node:util";
import { OperatorError } from "../../errors.ts";

const run = promisify(execFile);
const USER = "postgres";
/** So long a program that is to end may go on. */
const DEAF_MS = 700;

export interface RunAs {
  /** Undefined: as ourselves. */
  owner: { uid: number; gid: number } | undefined;
  /** The name under which a program that runs in the folder reaches it. */
  nameOf(folder: string): string;
  /** Runs a program in the folder to its end, to which `stop` brings it. Throws with the line in which it says why. */
  exec(folder: string, program: string, args: string[], stop?: AbortSignal): Promise<void>;
  /** Starts a program in the folder that outlives us. It writes to the open file `output`. */
  launch(folder: string, program: string, args: string[], output: number): ChildProcess;
}

/** Throws an OperatorError if we are root and cannot become anyone else. */
export async function chooseRunAs(): Promise<RunAs> {
  if (process.getuid?.() !== 0) return runAs(undefined, []);
  if (process.platform !== "linux") {
    throw new OperatorError("PostgreSQL refuses to run as root: start Keybeat as another user, or set DATABASE_URL");
  }
  const owner = await systemUser();
  const become = [
    `--reuid=${owner.uid}`,
    `--regid=${owner.gid}`,
    "--clear-groups",
    "--inh-caps=-all",
    "--no-new-privs",
  ];
  // The change of the user alone takes every capability away; the rest, where it can be had, keeps a setuid program from
  // giving one back.
  for (const more of [["--bounding-set=-all"], []]) {
    const wrapper = ["setpriv", ...become, ...more, "--"];
    if (await run("setpriv", [...wrapper.slice(1), "true"]).catch(() => false)) return runAs(owner, wrapper);
  }
  return runAs(owner, []);
}

function runAs(owner: RunAs["owner"], wrapper: string[]): RunAs {
  const wrap = (folder: string, program: string, args: string[]) => {
    const [file = program, ...rest] = [...wrapper, program, ...args];
    const options = {
      cwd: folder,
      env: programEnvironment(),
      windowsHide: true,
      ...(wrapper.length === 0 ? owner : {}),
    };
    return { file, args: rest, options };
  };
  return {
    owner,
    nameOf: (folder) => (owner ? "/proc/self/cwd" : folder),
    async exec(folder, program, args, stop) {
      stop?.throwIfAborted();
      const call = wrap(folder, program, args);
      // A Ctrl-C goes to everything in the terminal's group; what is begun is finished, and then stopped in order.
      const child = spawn(call.file, call.args, {
        ...call.options,
        detached: true,
        stdio: ["ignore", "ignore", "pipe"],
      });
      const end = () => {
        child.kill("SIGTERM");
        setTimeout(() => child.kill("SIGKILL"), DEAF_MS).unref(); // initdb hears nothing while it syncs to the disk
      };
      stop?.addEventListener("abort", end);
      await readToEnd(child).finally(() => stop?.removeEventListener("abort", end));
    },
    launch(folder, program, args, output) {
      const call = wrap(folder, program, args);
      return spawn(call.file, call.args, { ...call.options, detached: true, stdio: ["ignore", output, output] });
    },
  };
}

function readToEnd(child: ChildProcess): Promise<void> {
  let said = "";
  child.stderr?.on("data", (chunk) => {
    said += chunk;
  });
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => {
      if (code === 0) resolve();
      else reject(new Error(lastWords(said) || `it ended with ${signal ?? code}`));
    });
  });
}

/** The line that names the fault; after it they tell what follows from it, and how they tidy up. */
function lastWords(said: string): string | undefined {
  const lines = said.trim().split("\n");
  return lines.find((line) => /\b(error|ERROR|FATAL|PANIC):/.test(line)) ?? lines.at(-1);
}

const PASSED_ON = ["PATH", "TZ", "TMPDIR", "NIX_LD", "NIX_LD_LIBRARY_PATH"];
const PASSED_ON_WINDOWS = ["SystemRoot", "SystemDrive", "ComSpec", "PATHEXT", "TEMP", "TMP", "USERNAME", "APPDATA"];

/** Neither our secrets nor what a shell has set for other programs (PG…, LD_…). Their messages are in English. */
function programEnvironment(): Record<string, string> {
  const names = process.platform === "win32" ? [...PASSED_ON, ...PASSED_ON_WINDOWS] : PASSED_ON;
  const given = names.map((name) => [name, process.env[name]] as const).filter(([, value]) => value !== undefined);
  return { ...(Object.fromEntries(given) as Record<string, string>), LC_ALL: "C" };
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
