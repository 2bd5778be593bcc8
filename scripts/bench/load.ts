/** Full load on a server: by wrk where it is installed, else by the bundled generator. */
import type { Generator } from "./generator/index.ts";
import type { LoadJob, LoadReport } from "./generator/protocol.ts";
import { findProgram } from "./programs.ts";
import { runWrk } from "./wrk.ts";

export type Load = Omit<LoadJob, "kind" | "target"> & { url: string };

export interface LoadTool {
  name: "wrk" | "bundled";
  run(load: Load): Promise<LoadReport>;
}

export function bundledTool(generator: Generator): LoadTool {
  return {
    name: "bundled",
    async run(load) {
      const loaded = generator.hear("loaded");
      generator.tell({ kind: "load", ...jobOf(load) });
      return (await loaded).report;
    },
  };
}

/** Undefined if wrk is not installed. */
export function wrkTool(run: { folder: string; signal: AbortSignal }): LoadTool | undefined {
  const wrk = findProgram("wrk");
  return wrk === undefined ? undefined : { name: "wrk", run: (load) => runWrk(wrk, jobOf(load), run) };
}

function jobOf({ url, ...rest }: Load): Omit<LoadJob, "kind"> {
  const { hostname, port } = new URL(url);
  return { ...rest, target: { host: hostname, port: Number(port) } };
}
