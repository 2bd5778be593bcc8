/**
 * How PostgreSQL's programs are run: as which user, in which folder, and with which environment.
 *
 * PostgreSQL refuses to run as root. Started as root, its programs run as the system user `postgres` (created if it is
 * missing) without any capability or a way to gain one. The data may still be below a folder that only root may enter:
 * the programs are started inside it and call it /proc/self/cwd, a path with no parent to traverse.
 */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { promisify } from "node:util";
import { OperatorError } from "../../errors.ts";

const run = promisify(execFile);
const USER = "postgres";
/** How long a program that was told to end may take. */
const DEAF_MS = 700;

export interface RunAs {
  /** Undefined: as ourselves. */
  owner: { uid: number; gid: number } | undefined;
  /** The name by which a program started in the folder reaches it. */
  nameOf(folder: string): string;
  /** Runs a program in the folder to its end, or until `stop`. Throws with the line that names the fault. */
  exec(folder: string, program: string, args: string[], stop?: AbortSignal): Promise<void>;
  /** Starts a program in the folder that outlives this process and writes to the open file `output`. */
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
  // Changing the user already drops every capability; the rest, where available, keeps a setuid program from regaining
  // one.
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
      // A Ctrl-C reaches the terminal's whole group; work in progress is finished first, then stopped in order.
      const child = spawn(call.file, call.args, {
        ...call.options,
        detached: true,
        stdio: ["ignore", "ignore", "pipe"],
      });
      const end = () => {
        child.kill("SIGTERM");
        setTimeout(() => child.kill("SIGKILL"), DEAF_MS).unref(); // initdb ignores signals while it syncs to the disk
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

/** The line that names the fault; the lines after it only tell its consequences and the cleanup. */
function lastWords(said: string): string | undefined {
  const lines = said.trim().split("\n");
  return lines.find((line) => /\b(error|ERROR|FATAL|PANIC):/.test(line)) ?? lines.at(-1);
}

const PASSED_ON = ["PATH", "TZ", "TMPDIR", "NIX_LD", "NIX_LD_LIBRARY_PATH"];
const PASSED_ON_WINDOWS = ["SystemRoot", "SystemDrive", "ComSpec", "PATHEXT", "TEMP", "TMP", "USERNAME", "APPDATA"];

/** Without our secrets, and without variables a shell has set for other programs (PG…, LD_…). Messages in English. */
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
