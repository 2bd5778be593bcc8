import { build } from "esbuild";

/** The client as an app bundles it, which leaves startSession in the page. */
export async function bundleClient(): Promise<string> {
  const bundle = await build({
    stdin: {
      contents: `import { startSession } from "./src/client/index.ts"; window.startSession = startSession;`,
      resolveDir: process.cwd(),
    },
    bundle: true,
    write: false,
    format: "esm",
    platform: "browser",
    target: "es2022",
  });
  return bundle.outputFiles[0]?.text ?? "";
}
