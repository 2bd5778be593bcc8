/** The check of regular expressions finds those that grow faster than their input, and leaves those alone that do not. */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

/** The first three were once in this service; each says how it is written, and where. */
const PLANTS: Array<[what: string, file: string, source: string]> = [
  ["Accept-Encoding, cut at its mark", "src/a.ts", String.raw`export const a = (t: string) => t.split(/\s*;\s*q=/);`],
  [
    ...(["a header, its blanks before its value", "src/b.ts"] as const),
    "export const b = /([\\w!#$%&'*+.^`|~-]+):[ \\t]*([\\t -~]*)\\r\\n/y;",
  ],
  [
    ...(["a field of CSV, trimmed as it is read", "src/c.ts"] as const),
    String.raw`export const c = /\s*(?:"((?:[^"]|"")*)"|([^,"]*?|[^,"][^,]*?))\s*(,|$)/y;`,
  ],
  ["one that doubles with each character", "src/deep/d.ts", "export const d = /^(a+)+$/;"],
  ["a script", "scripts/e.mjs", String.raw`export const e = (t) => t.replace(/\/+$/, "");`],
  ["a test", "test/f.test.ts", 'console.log(/a.*b.*c$/s.test("x"));'],
  ["the root's settings", "g.config.ts", String.raw`export default /(\w+)=/;`],
  ["made of a text", "src/h.ts", String.raw`export const h = new RegExp("\\s+$", "u");`],
  ["made of a text with something put in", "src/i.ts", "export const i = (n: string) => RegExp(`\\\\s*$" + "{n}`);"],
  ["made of two texts", "src/j.ts", String.raw`export const j = (n: string) => new RegExp("\\s*" + n);`],
  ["a text that is searched for", "src/k.ts", String.raw`export const k = (t: string) => t.match("\\d+x");`],
  ["a script of a page", "src/page/l.js", 'document.title.replace(/,*$/, "");'],
];

const ALLOWED: Array<[what: string, source: string]> = [
  ["one that begins at one place", String.raw`/^\s*(a|$)/`],
  ["a value that begins with no blank", String.raw`/:[ \t]*((?:[!-~][\t -~]*)?)\r\n/y`],
  ["the end of an address", String.raw`/(^|[^/])\/+$/`],
  ["a word from its beginning", String.raw`/\b(\w+)=/`],
  ["a text that is no expression", '"/(a+)+$/"'],
];

let folder: string;
let complaints: string[];

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "keybeat-regexes-"));
  const files = [
    ...PLANTS.map(([, ...file]) => file),
    ...ALLOWED.map(([, source], at) => [`src/allowed-${at}.ts`, `export const a = ${source};`]),
  ];
  for (const [file = "", source = ""] of files) {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    writeFileSync(join(folder, file), `\n${source}\n`);
  }
  const { status, stderr } = check(folder);
  expect(status).toBe(1);
  complaints = stderr.trim().split("\n");
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

const check = (cwd: string) =>
  spawnSync(process.execPath, [resolve("scripts/check-regexes.mjs")], { cwd, encoding: "utf8" });

describe("the check of regular expressions", () => {
  it("has nothing to say about the tree as it is", () => {
    expect(check(".")).toMatchObject({ status: 0, stderr: "" });
  });

  it.each(PLANTS)("refuses %s", (_, file) => {
    expect(complaints.filter((line) => line.startsWith(`${file}:2 /`))).not.toEqual([]);
  });

  it.each(ALLOWED.map(([what], at) => [what, at] as const))("allows %s", (_, at) => {
    expect(complaints.filter((line) => line.startsWith(`src/allowed-${at}.ts`))).toEqual([]);
  });
});
