// Builds the files for browsers into dist/assets, with their compressed forms. Skips what is up to date.
import { spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import { buildSync, transformSync } from "esbuild";

const root = fileURLToPath(new URL("..", import.meta.url));
const compiled = mkdtempSync(join(tmpdir(), "keybeat-page-"));
const PAGE = "src/admin/page";
/** The page's own modules, compiled; and the client's that it uses. */
const MODULES = join(compiled, "admin/page/client");
const SHARED = join(compiled, "client/stream-turn.js");
const WIDGET = "src/client/waiting-room/widget";
const DEMO = "src/sessions/waiting-room/demo";
const KEY_PAGE = "src/sessions/device/key-page";

/** Folder in dist/assets -> files. */
const ASSETS = {
  docs: [
    ...["openapi.json", "openapi-3.0.json"].map((name) => `src/http/openapi/${name}`),
    ...["index.html", "start.js", "page.css"].map((name) => `src/http/openapi/page/${name}`),
    ...["swagger-ui-bundle.js", "swagger-ui.css", "favicon-32x32.png"].map((n) => `node_modules/swagger-ui-dist/${n}`),
    "node_modules/swagger-ui-dist/LICENSE",
    "node_modules/swagger-ui-dist/NOTICE",
  ],
  admin: [
    ...["index.html", "icon.svg"].map((name) => `${PAGE}/${name}`),
    ...bundle({ "admin/page.css": `${PAGE}/page.css` }),
    ...compilePage(),
    ...bundle({ "uplot.js": "node_modules/uplot/dist/uPlot.esm.js" }, "esm"),
    "node_modules/uplot/dist/uPlot.min.css",
    "node_modules/uplot/LICENSE",
  ],
  "waiting-room": [
    ...bundle({ "widget.js": `${WIDGET}/main.ts`, "widget.css": `${WIDGET}/widget.css` }),
    ...bundle({ "demo.js": `${DEMO}/client/main.ts`, "demo.css": `${DEMO}/demo.css` }),
    `${DEMO}/demo.html`,
  ],
  key: [
    ...bundle({ "key/page.js": `${KEY_PAGE}/client/main.ts`, "key/page.css": `${KEY_PAGE}/page.css` }),
    `${KEY_PAGE}/page.html`,
  ],
};

for (const [folder, files] of Object.entries(ASSETS)) {
  mkdirSync(join(root, "dist/assets", folder), { recursive: true });
  for (const file of files) build(resolve(root, file), join(root, "dist/assets", folder, nameOf(file)));
  forget(join(root, "dist/assets", folder), files.map(nameOf));
}
rmSync(compiled, { recursive: true });

/** The page's modules, compiled for browsers. `npm run check` checks their types. */
function compilePage() {
  const compiler = join(root, "node_modules/typescript/bin/tsc");
  const args = ["-p", `${PAGE}/client/tsconfig.json`, "--outDir", compiled];
  const { status, stdout, stderr } = spawnSync(process.execPath, [compiler, ...args], { cwd: root, encoding: "utf8" });
  if (status !== 0) console.error(stdout + stderr);
  return listModules();
}

/** Bundles each into one minified file of that name: a sheet, a classic script, or a module ("esm"). */
function bundle(entries, format = "iife") {
  const options = {
    bundle: true,
    minify: true,
    format,
    target: "es2022",
    platform: "browser",
    charset: "utf8",
  };
  return Object.entries(entries).map(([name, entry]) => {
    const outfile = join(compiled, name);
    buildSync({ ...options, entryPoints: [join(root, entry)], outfile });
    return outfile;
  });
}

/** Leaves out modules that hold only types. */
function listModules() {
  const own = readdirSync(MODULES, { recursive: true }).map((name) => join(MODULES, name));
  return [...own, SHARED]
    .filter((file) => file.endsWith(".js"))
    .filter((file) => readFileSync(file, "utf8").trim() !== "export {};");
}

/** What a file is called where all are served side by side: the module `keys/key-view.js` is `keys-key-view.js`. */
function nameOf(file) {
  const path = relative(MODULES, file);
  return path.startsWith("..") ? basename(file) : path.replaceAll(/[\\/]/g, "-");
}

/** Writes the uncompressed file last: once it exists, so do the others. */
function build(source, target) {
  const bytes = read(source);
  if (existsSync(target) && statSync(target).size === bytes.length && readFileSync(target).equals(bytes)) return;
  const params = { [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length };
  write(`${target}.br`, brotliCompressSync(bytes, { params }));
  write(`${target}.gz`, gzipSync(bytes, { level: 9 }));
  write(target, bytes);
}

/** Removes references to source maps: they are not served, and would show as a 404 in the console. */
function read(source) {
  const bytes = readFileSync(source);
  if (source === SHARED || source.startsWith(MODULES)) {
    return Buffer.from(tighten(importSideBySide(source, bytes.toString("utf8"))));
  }
  if (source.endsWith(`${PAGE}/index.html`)) return Buffer.from(preloadModules(bytes.toString("utf8")));
  if (!/node_modules.*\.(js|css)$/.test(source)) return bytes;
  return Buffer.from(
    bytes.toString("utf8").replace(/\n?(\/\/# sourceMappingURL=\S+|\/\*# sourceMappingURL=\S+ ?\*\/)\s*$/, "\n"),
  );
}

function importSideBySide(module, text) {
  return text.replace(/(\bfrom |\bimport )"(\.[^"]+)"/g, (_, how, path) => {
    return `${how}"./${nameOf(resolve(dirname(module), path))}"`;
  });
}

/** Names stay, for whoever reads a trace. */
function tighten(module) {
  const options = { minifyWhitespace: true, minifySyntax: true, target: "es2022", charset: "utf8" };
  return transformSync(module, { ...options, format: "esm" }).code;
}

/** Lets the browser load all modules at once instead of one import after another. */
function preloadModules(html) {
  const links = listModules()
    .map(nameOf)
    .filter((name) => name !== "main.js")
    .map((name) => `    <link rel="modulepreload" href="admin/${name}">\n`);
  return html.replace("<!-- modulepreload -->\n", links.join(""));
}

/** Files left by earlier builds. A file that another build is writing has a name that begins with a dot. */
function forget(folder, files) {
  const built = new Set(files.flatMap((name) => [name, `${name}.br`, `${name}.gz`]));
  for (const name of readdirSync(folder)) {
    if (!built.has(name) && !name.startsWith(".")) rmSync(join(folder, name), { force: true });
  }
}

/** Writes atomically, even with two builds at once. */
function write(target, bytes) {
  const part = join(dirname(target), `.${basename(target)}.${process.pid}`);
  writeFileSync(part, bytes);
  renameSync(part, target);
}
