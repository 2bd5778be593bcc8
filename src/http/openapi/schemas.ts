/** Converts zod schemas to OpenAPI. 3.0.3 has a dialect of its own, 3.1 is JSON Schema 2020-12. */
import { z } from "zod";

export type Json = Record<string, unknown>;
export type Version = "3.1" | "3.0";

const TARGETS = { "3.1": "draft-2020-12", "3.0": "openapi-3.0" } as const;

export interface Schemas {
  /** The contents of components/schemas. */
  components: Record<string, Json>;
  /** A schema where it is used: a reference if it has a name. */
  use(schema: z.ZodType): Json;
}

/** Objects stay open: clients must tolerate unknown fields, or nothing could ever be added. */
export function createSchemas(named: Record<string, z.ZodType>, version: Version): Schemas {
  const registry = z.registry<{ id: string }>();
  const names = new Map<z.ZodType, string>();
  for (const [id, schema] of Object.entries(named)) {
    if (names.has(schema)) throw new Error(`one schema has two names: ${names.get(schema)} and ${id}`);
    registry.add(schema, { id });
    names.set(schema, id);
  }
  const options = { target: TARGETS[version], io: "input", uri: (id: string) => refTo(id).$ref } as const;
  const written = z.toJSONSchema(registry, options).schemas as Record<string, Json>;
  const ordered = Object.keys(written).sort();
  const components = Object.fromEntries(ordered.map((id) => [id, tidy(written[id], written) as Json]));
  return {
    components,
    use(schema) {
      const id = names.get(schema);
      if (id !== undefined) return refTo(id);
      return tidy(z.toJSONSchema(schema, { target: TARGETS[version], io: "input" }), written) as Json;
    },
  };
}

export const refTo = (id: string) => ({ $ref: `#/components/schemas/${id}` });

function tidy(node: unknown, all: Record<string, Json>): unknown {
  if (Array.isArray(node)) return node.map((item) => tidy(item, all));
  if (typeof node !== "object" || node === null) return node;
  const { $id: _id, $schema: _dialect, ...schema } = node as Json;
  if (schema.format === "date-time") {
    const ours = String(schema.pattern).endsWith("\\.\\d{3}(?:Z))$");
    if (ours) schema.pattern = MOMENT;
    else delete schema.pattern;
  }
  if (schema.type === "integer" && schema.minimum === Number.MIN_SAFE_INTEGER) delete schema.minimum;
  if (schema.type === "integer" && schema.maximum === Number.MAX_SAFE_INTEGER) delete schema.maximum;
  if (schema.type === "integer" && !fits32Bits(schema)) schema.format = "int64";
  return mapValues(mend(schema, all), (value) => tidy(value, all));
}

/** Generated clients assume 32-bit integers unless told otherwise. */
const fits32Bits = ({ maximum }: Json) => typeof maximum === "number" && maximum < 2 ** 31;

/** `format` covers leap years; the pattern adds our rules: UTC and milliseconds. */
const MOMENT = "^\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}:\\d{2}\\.\\d{3}Z$";

/** In 3.0.3 `nullable` widens neither an enum nor a reference: null joins the list, and the schema is repeated. */
function mend(schema: Json, all: Record<string, Json>): Json {
  if (schema.nullable === true && Array.isArray(schema.enum)) return { ...schema, enum: [...schema.enum, null] };
  const [only, ...more] = Array.isArray(schema.allOf) ? (schema.allOf as Json[]) : [];
  if (typeof only?.$ref !== "string" || more.length > 0) return schema;
  const { allOf: _wrapped, ...beside } = schema;
  if (beside.nullable !== true) return Object.keys(beside).length === 0 ? only : schema;
  const { $id: _id, ...copy } = all[only.$ref.split("/").at(-1) as string] as Json;
  return { ...copy, ...beside };
}

function mapValues(object: Json, change: (value: unknown) => unknown): Json {
  return Object.fromEntries(Object.entries(object).map(([name, value]) => [name, change(value)]));
}
