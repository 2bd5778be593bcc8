/**
 * Our 3.0.3 document against what the published API of games says (published.json): whoever was written for that one finds all
 * of it here. What it sends is taken, and what it is answered is what it expects.
 */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { findMisfits, findUnknown, type Schema } from "./support/fits.ts";

const read = (file: string): Schema => JSON.parse(readFileSync(file, "utf8"));
const document = read("src/http/openapi/openapi-3.0.json");
const published = read("test/sessions/game/published.json");

/** What the published health may say, and ours never does. */
const NEVER_SAID = ["GET /health 200 .domain: is unknown", "GET /health 200 .active_connections: is unknown"];

interface Operation {
  parameters?: Array<{ name: string; in: string; required?: boolean; schema: Schema }>;
  body?: { required: boolean; schema: string };
  answers: Record<string, string | null>;
}
const operations: Array<[name: string, theirs: Operation]> = Object.entries(published.operations);

const ours = (node: Schema): Schema =>
  node?.$ref === undefined
    ? node
    : ours(
        node.$ref
          .slice(2)
          .split("/")
          .reduce((at: Schema, part: string) => at[part], document),
      );
const theirs = (node: Schema): Schema =>
  typeof node === "string" ? published.schemas[node] : node?.is === undefined ? node : published.schemas[node.is];
/** What we answer must be as they say; what they send must be as we say. */
const answered = { narrow: ours, wide: theirs };
const sent = { narrow: theirs, wide: ours };

function ourOperation(name: string): Schema {
  const [method = "", path = ""] = name.split(" ");
  return document.paths[`/api/v1/game${path}`]?.[method.toLowerCase()];
}
const contentOf = (response: Schema): Schema => ours(response)?.content?.["application/json"]?.schema;

it("is compared with what we describe of all of its operations", () => {
  expect(document.openapi).toBe("3.0.3");
  expect(operations).toHaveLength(11);
});

describe.each(operations)("%s of the published API", (name, operation) => {
  const our = ourOperation(name);

  it("is there, for a bearer of a token", () => {
    const schemes = (our?.security ?? []).flatMap(Object.keys);
    const asked = schemes.map((scheme: string) => document.components.securitySchemes[scheme]);
    const expected = { type: "http", scheme: "bearer", bearerFormat: "JWT" };
    expect(asked).toMatchObject(name === "GET /health" ? [] : [expected]);
  });

  it("takes every parameter and every value of it, by the same default", () => {
    for (const parameter of operation.parameters ?? []) {
      const found = our.parameters.find((one: Schema) => one.name === parameter.name && one.in === parameter.in);
      expect([parameter.name, found?.required ?? false]).toEqual([parameter.name, parameter.required ?? false]);
      expect(findMisfits(parameter.schema, bare(found.schema), sent, parameter.name)).toEqual([]);
      expect([parameter.name, found.schema.default]).toEqual([parameter.name, parameter.schema.default]);
      expect(found.schema.minimum).toBe(parameter.schema.minimum);
      expect(found.schema.maximum).toBe(parameter.schema.maximum);
    }
    const required = our.parameters.filter((one: Schema) => one.required).map((one: Schema) => one.name);
    expect(operation.parameters?.map((one) => one.name) ?? []).toEqual(expect.arrayContaining(required));
  });

  it("takes every body, and knows every field of it", () => {
    const [body, expected] = [our.requestBody, operation.body];
    expect(body?.required).toBe(expected?.required);
    if (expected === undefined) return;
    const schema = body.content["application/json"].schema;
    expect(findMisfits(expected.schema, schema, sent)).toEqual([]);
    expect(findUnknown(schema, expected.schema, { narrow: ours, wide: theirs })).toEqual([]);
  });

  it("answers with every status, and with nothing that the published one would not", () => {
    const { default: other, ...statuses } = operation.answers;
    for (const [status, expected] of Object.entries(statuses)) {
      expect([status, our.responses[status] !== undefined]).toEqual([status, true]);
      if (expected === null) continue;
      const schema = contentOf(our.responses[status]);
      const alternatives: Schema[] = schema.anyOf ?? schema.oneOf ?? [schema];
      const fitting = alternatives.filter((one) => findMisfits(one, expected, answered).length === 0);
      // Overload is told in the shape of all errors.
      const rest = alternatives.filter((one) => !fitting.includes(one));
      expect([status, fitting.length > 0]).toEqual([status, true]);
      expect(rest.flatMap((one) => findMisfits(one, other, answered, `${name} ${status}`))).toEqual([]);
      if (status !== "200" && status !== "201") continue;
      expect(rest).toEqual([]);
      const unknown = findUnknown(schema, expected, answered, `${name} ${status} `);
      expect(unknown.filter((fault) => !NEVER_SAID.includes(fault))).toEqual([]);
    }
  });

  it("answers otherwise with errors of the published shape", () => {
    for (const [status, response] of Object.entries(our.responses as Record<string, Schema>)) {
      if (Number(status) < 400 || operation.answers[status] !== undefined) continue;
      expect(findMisfits(contentOf(response), operation.answers.default, answered, status)).toEqual([]);
    }
  });
});

/** Patterns and formats beyond it are for what is no such value. */
const bare = ({ pattern: _pattern, ...schema }: Schema): Schema => schema;

describe("the comparison", () => {
  const whole = { type: "integer", minimum: 1, maximum: 5 };
  const object = { type: "object", properties: { a: whole, list: { type: "array", items: whole } }, required: ["a"] };
  const as = { narrow: (one: Schema) => one, wide: (one: Schema) => one };

  it.each<[string, Schema, Schema]>([
    ["may be missing", { ...object, required: [] }, object],
    ["may be null", { ...whole, nullable: true }, whole],
    ["has maximum 6 for 5", { ...whole, maximum: 6 }, whole],
    ["has minimum undefined for 1", { type: "integer", maximum: 5 }, whole],
    ["number is no integer", { ...whole, type: "number" }, whole],
    ["may be c", { type: "string", enum: ["a", "c"] }, { type: "string", enum: ["a", "b"] }],
    ["may be anything", { type: "string" }, { type: "string", enum: ["a"] }],
    ["is no uuid", { type: "string" }, { type: "string", format: "uuid" }],
    ["has maxLength undefined for 9", { type: "string" }, { type: "string", maxLength: 9 }],
    [".a: string is no integer", { ...object, properties: { a: { type: "string" } } }, object],
    [
      ".list[]: string",
      { ...object, properties: { ...object.properties, list: { type: "array", items: { type: "string" } } } },
      object,
    ],
    ["|1: ", { anyOf: [whole, { type: "string" }] }, whole],
  ])("finds that it %s", (fault, narrow, wide) => {
    expect(findMisfits(narrow, wide, as).join()).toContain(fault);
    expect(findMisfits(wide, wide, as)).toEqual([]);
  });

  it("finds a field that the other one does not know, in a list too", () => {
    const more = { ...object, properties: { ...object.properties, b: whole } };
    const list = (items: Schema) => ({ type: "object", properties: { of: { type: "array", items } } });
    expect(findUnknown(object, more, as)).toEqual([".b: is unknown"]);
    expect(findUnknown(list(object), list(more), as)).toEqual([".of[].b: is unknown"]);
    expect(findUnknown(more, object, as)).toEqual([]);
  });
});
