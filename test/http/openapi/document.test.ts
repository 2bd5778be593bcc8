/** The OpenAPI documents say what the program does: every route, every code, with examples that are valid. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { STATUS } from "../../../src/errors.ts";
import { describeApi } from "../../../src/openapi.ts";
import { gameErrorShape } from "../../../src/sessions/game/errors.ts";
import { readVersion } from "../../../src/version.ts";
import { useApp } from "../../support/app.ts";
import { useDatabase } from "../../support/database.ts";
import { checkAnswer } from "../../support/document-check.ts";
import { codeOf } from "../../support/error-words.ts";
import { serviceToken } from "../../support/player-token.ts";

// biome-ignore lint/suspicious/noExplicitAny: JSON of many shapes
type Json = any;

const db = useDatabase();
const app = useApp(db);

const read = (file: string): Json => JSON.parse(readFileSync(`src/http/openapi/${file}`, "utf8"));
const [document, older] = [read("openapi.json"), read("openapi-3.0.json")];

const operations: Array<[name: string, operation: Json, path: string, method: string]> = Object.entries(
  document.paths as Json,
).flatMap(([path, item]) =>
  Object.entries(item as Json).map(([method, operation]): [string, Json, string, string] => [
    `${method.toUpperCase()} ${path}`,
    operation,
    path,
    method,
  ]),
);
/** Described by the games' part, whose routes that answer so are being built; whoever brings one takes its code away here. */
const TO_COME: string[] = [];
const resolve = (node: Json): Json =>
  node.$ref === undefined
    ? node
    : node.$ref
        .slice(2)
        .split("/")
        .reduce((at: Json, part: string) => at[part], document);

/** The names that are listed; undefined where it may be any. */
const filesOf = (operation: Json): string[] | undefined =>
  operation.parameters.find((parameter: Json) => parameter.name === "file").schema.enum;

function isFileOf(page: string, files: string[] | undefined, route: string): boolean {
  const below = `GET ${page.replace("{file}", "")}`;
  return route.startsWith(below) && (files === undefined || files.includes(route.slice(below.length)));
}

describe("the documents", () => {
  it("are those that the schemas and descriptions give", () => {
    expect(document).toEqual(JSON.parse(JSON.stringify(describeApi("3.1", readVersion()))));
    expect(older).toEqual(JSON.parse(JSON.stringify(describeApi("3.0", readVersion()))));
    expect([document.openapi, older.openapi]).toEqual(["3.1.1", "3.0.3"]);
  });

  it("have the same operations, statuses and examples", () => {
    const outline = (of: Json) =>
      JSON.parse(JSON.stringify(of.paths, (name, value) => (name === "schema" || name === "x-events" ? null : value)));
    expect(outline(older)).toEqual(outline(document));
  });

  it("describe every route that is mounted, and no other; the files of a page together, by the names that they may have", () => {
    const names = new Set(operations.map(([name]) => name));
    const pages = operations.filter(([, , path]) => path.endsWith("/{file}"));
    const mounted = app
      .routes()
      .filter(({ method, path }) => method !== "ALL" && !path.endsWith("*"))
      .map(({ method, path }) => `${method} ${path.replace(/:(\w+)/g, "{$1}")}`);
    const describedAs = (route: string) =>
      names.has(route) ? route : pages.find(([, operation, path]) => isFileOf(path, filesOf(operation), route))?.[0];
    expect(mounted.filter((route) => describedAs(route) === undefined)).toEqual([]);
    expect(new Set(mounted.map(describedAs))).toEqual(names);
    for (const [, operation, path] of pages) {
      for (const file of filesOf(operation) ?? []) expect(mounted).toContain(`GET ${path.replace("{file}", file)}`);
    }
  });

  it("name every code that there is", () => {
    const text = JSON.stringify(document.components.schemas);
    for (const code of Object.keys(STATUS)) {
      expect([code, text.includes(`"const":"${code}"`)]).toEqual([code, !TO_COME.includes(code)]);
    }
  });

  it("show each of an answer's codes in an example of its own, under the status that it has", () => {
    for (const [name, operation, path] of operations) {
      for (const [status, response] of Object.entries(operation.responses as Json)) {
        const content = resolve(response).content?.["application/json"];
        if (content === undefined || Number(status) < 400) continue;
        const codes = (content.schema.oneOf ?? content.schema.anyOf ?? [content.schema])
          .map((schema: Json) => resolve(schema).properties)
          .map(({ code, details }: Json) => code?.const ?? details?.properties.code?.const)
          .filter(Boolean);
        const shown = Object.values(content.examples as Json).map((example: Json) => codeOf(example.value));
        expect([name, status, shown.filter(Boolean)]).toEqual([name, status, codes]);
        const there = path.startsWith(gameErrorShape.prefix) ? { ...STATUS, ...gameErrorShape.statuses } : STATUS;
        for (const code of codes) expect(there[code as keyof typeof STATUS]).toBe(Number(status));
      }
    }
  });

  it("show only examples that could be answers", () => {
    let shown = 0;
    for (const [, operation, path, method] of operations) {
      for (const [status, given] of Object.entries(operation.responses as Json)) {
        const response = resolve(given);
        const headers = Object.fromEntries(
          Object.keys(response.headers).map((name) => [
            name.toLowerCase(),
            String(document.components.headers[name].example),
          ]),
        );
        for (const [type, { examples }] of Object.entries((response.content ?? {}) as Json) as Array<[string, Json]>) {
          for (const { value } of Object.values(examples) as Json[]) {
            const body = typeof value === "string" ? value : JSON.stringify(value);
            const answer = { method: method.toUpperCase(), url: path, status: Number(status), body };
            expect(checkAnswer({ ...answer, headers: { ...headers, "content-type": type } })).toEqual([]);
            shown++;
          }
        }
      }
    }
    expect(shown).toBeGreaterThan(50);
  });

  it("say of each integer that may need more than 32 bits that it may", () => {
    let seen = 0;
    const look = (node: Json, at: string): void => {
      if (typeof node !== "object" || node === null) return;
      for (const [name, value] of Object.entries(node)) if (name !== "examples") look(value, `${at}/${name}`);
      if (node.type !== "integer" && !node.type?.includes?.("integer")) return;
      seen++;
      const fits = node.maximum < 2 ** 31 && (node.minimum ?? node.exclusiveMinimum ?? 0) >= -(2 ** 31);
      expect([at, fits || node.format === "int64"]).toEqual([at, true]);
    };
    for (const each of [document, older]) look(each, each.openapi);
    expect(seen).toBeGreaterThan(50);
    expect(document.components.schemas.StartReply.properties.generation.format).toBe("int64");
  });

  it("show only requests that the service takes", async () => {
    for (const [name, operation, path] of operations) {
      const content = operation.requestBody?.content["application/json"];
      for (const { value } of Object.values(content?.examples ?? {}) as Json[]) {
        const headers: Record<string, string> = path.startsWith(gameErrorShape.prefix)
          ? { Authorization: `Bearer ${serviceToken()}` }
          : {};
        expect([name, (await app.post(path, value, headers)).status]).not.toEqual([name, 400]);
      }
    }
  });
});
