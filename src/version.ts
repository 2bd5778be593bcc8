import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** The package's root, which holds package.json and migrations/, both from source and from dist/. */
export function packageRoot(): string {
  const here = fileURLToPath(import.meta.url);
  return fileURLToPath(new URL(here.includes("/dist/src/") ? "../.." : "..", import.meta.url));
}

export function readVersion(): string {
  return (JSON.parse(readFileSync(`${packageRoot()}/package.json`, "utf8")) as { version: string }).version;
}
