/**
 * Runs the steps of a Dockerfile on this machine, each stage in a folder of its own, as there may be no Docker where
 * the tests run. What a base image brings (Node.js, npm, the user) is this machine's. Knows only what our file uses.
 */
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, statSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";

export interface Stage {
  image: string;
  /** Where its file system lies. */
  root: string;
  workdir: string;
  env: Record<string, string>;
  user: string;
  healthcheck: string[];
  command: string[];
}

/** Builds every stage below `folder` from the files of this checkout that .dockerignore lets through. */
export function buildStages(dockerfile: string, folder: string): Stage[] {
  const context = join(folder, "context");
  copyContext(context);
  const stages = new Map<string, Stage>();
  let stage: Stage | undefined;
  for (const { instruction, rest } of parse(readFileSync(dockerfile, "utf8"))) {
    if (instruction === "FROM") {
      const [image = "", , name = "final"] = rest.split(/\s+/);
      const root = join(folder, name);
      stage = { image, root, workdir: "/", env: {}, user: "root", healthcheck: [], command: [] };
      mkdirSync(root);
      stages.set(name, stage);
    } else if (stage) take(stage, instruction, rest, (from) => (from ? (stages.get(from) as Stage).root : context));
  }
  return [...stages.values()];
}

/** The environment of a program that is run in that stage. */
export function envOf({ root, env }: Stage): Record<string, string> {
  const { PATH = "", HOME = "" } = process.env;
  const paths = (env.PATH ?? "").split(":").filter((path) => path.startsWith("/"));
  return { HOME, ...env, PATH: [...paths.map((path) => join(root, path)), PATH].join(":") };
}

function parse(text: string): Array<{ instruction: string; rest: string }> {
  const lines = text.replace(/^[ \t]*#.*\n/gm, "").replace(/\\\n/g, " ");
  return lines
    .split("\n")
    .filter((line) => line.trim() !== "")
    .map((line) => {
      const [, instruction = "", rest = ""] = /^([A-Z]+)\s+(\S.*)$/.exec(line.trim()) ?? [];
      return { instruction, rest };
    });
}

function take(stage: Stage, instruction: string, rest: string, rootOf: (stage?: string) => string): void {
  const folder = join(stage.root, stage.workdir);
  if (instruction === "WORKDIR") {
    stage.workdir = rest;
    mkdirSync(join(stage.root, rest), { recursive: true });
  } else if (instruction === "COPY") {
    const [, from, paths = rest] = /^--from=(\S+)\s+(\S.*)$/.exec(rest) ?? [];
    const sources = paths.split(/\s+/);
    const to = resolve(folder, sources.pop() as string);
    for (const source of sources) copy(join(rootOf(from), source), to, paths.endsWith("/"));
  } else if (instruction === "RUN") {
    // What this checkout was installed from is at hand; whether the registry has it still is not asked here.
    const env = { ...envOf(stage), npm_config_prefer_offline: "true" };
    execFileSync("sh", ["-ec", rest], { cwd: folder, env, stdio: ["ignore", "pipe", "pipe"] });
  } else if (instruction === "ENV") {
    for (const [, name = "", value = ""] of rest.matchAll(/\b(\w+)=(\S+)/g)) stage.env[name] = value;
  } else if (instruction === "USER") {
    stage.user = rest;
  } else if (instruction === "CMD") {
    stage.command = JSON.parse(rest) as string[];
  } else if (instruction === "HEALTHCHECK") {
    stage.healthcheck = JSON.parse(rest.slice(rest.indexOf("["))) as string[];
  } else if (instruction !== "EXPOSE") {
    throw new Error(`the Dockerfile has an instruction that this does not know: ${instruction} ${rest}`);
  }
}

/** A file goes into a folder that is named with a slash at its end; of a folder the content is copied. */
function copy(from: string, to: string, intoFolder: boolean): void {
  const target = intoFolder && statSync(from).isFile() ? join(to, basename(from)) : to;
  mkdirSync(dirname(target), { recursive: true });
  cpSync(from, target, { recursive: true, verbatimSymlinks: true });
}

function copyContext(to: string): void {
  const ignored = readFileSync(".dockerignore", "utf8").split("\n").filter(Boolean);
  const files = execFileSync("git", ["ls-files", "-co", "--exclude-standard", "-z"], { encoding: "utf8" });
  for (const file of new Set(files.split("\0").filter(Boolean))) {
    if (ignored.some((name) => file === name || file.startsWith(`${name}/`))) continue;
    mkdirSync(join(to, dirname(file)), { recursive: true });
    cpSync(file, join(to, file));
  }
}
