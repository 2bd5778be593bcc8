// Fails if a regular expression may take more than linear time: a stranger's text in it would stop the event loop.
// Checks every literal and every RegExp made of constant text; an interpolated part counts as one letter.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseSync, Visitor } from "oxc-parser";
import { analyse } from "scslre";

const SOURCE = /\.(ts|mjs|cjs|js)$/;
const LEFT_OUT = new Set(["node_modules", "dist", ".git", ".keybeat"]);
const BY_STRING = new Set(["match", "matchAll", "search"]);

const complaints = [...sourcesIn(".")].flatMap(examine);
for (const complaint of complaints) console.error(complaint);
if (complaints.length > 0) process.exit(1);

function* sourcesIn(folder) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (LEFT_OUT.has(entry.name)) continue;
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* sourcesIn(path);
    else if (SOURCE.test(entry.name)) yield path;
  }
}

function examine(file) {
  const text = readFileSync(file, "utf8");
  const { program, errors } = parseSync(file, text);
  if (errors.length > 0) return [`${file}: ${errors[0].message}`];
  return regexesIn(program).flatMap(({ at, source, flags }) =>
    judge(source, flags).map(
      (trouble) => `${file}:${text.slice(0, at).split("\n").length} /${source}/${flags} ${trouble}`,
    ),
  );
}

function regexesIn(program) {
  const found = [];
  const add = (node, pattern, flags) => {
    const source = constantText(pattern);
    if (source !== undefined) found.push({ at: node.start, source, flags: constantText(flags) ?? "" });
  };
  const made = (node) => {
    if (node.callee.type === "Identifier" && node.callee.name === "RegExp") add(node, ...node.arguments);
  };
  new Visitor({
    Literal(node) {
      if (node.regex) found.push({ at: node.start, source: node.regex.pattern, flags: node.regex.flags });
    },
    NewExpression: made,
    CallExpression(node) {
      made(node);
      if (node.callee.type === "MemberExpression" && BY_STRING.has(node.callee.property.name))
        add(node, node.arguments[0]);
    },
  }).visit(program);
  return found;
}

/** Undefined if the text is not constant. */
function constantText(node) {
  if (node?.type === "Literal" && typeof node.value === "string") return node.value;
  if (node?.type === "TemplateLiteral") return node.quasis.map((part) => part.value.cooked).join("x");
  if (node?.type !== "BinaryExpression" || node.operator !== "+") return undefined;
  const [left, right] = [constantText(node.left), constantText(node.right)];
  return left === undefined && right === undefined ? undefined : (left ?? "x") + (right ?? "x");
}

/** Trade, Self: it backtracks. Move: it starts over at each character of a run that it has just read. */
function judge(source, flags) {
  try {
    return analyse({ source, flags }, { reportTypes: { Move: true } }).reports.map(
      ({ type, exponential, character }) =>
        `takes ${exponential ? "exponential" : "super-linear"} time (${type}) on many of ${character.literal.source}`,
    );
  } catch (error) {
    return [`cannot be examined: ${error.message}`];
  }
}
