/**
 * Treats `null` as absent wherever a field is optional and null has no meaning of its own: clients of many languages
 * send it for what they do not know. Derived from the schema, so contracts need not say it. Free-form values (a record,
 * `unknown`) belong to the caller and are left alone.
 */
import { z } from "zod";

type DropNulls = (value: unknown) => void;

const known = new WeakMap<z.ZodType, DropNulls>();
const nothing: DropNulls = () => {};

/** Removes such fields, in place, from a value that is about to be checked by the schema. */
export function dropNulls(value: unknown, schema: z.ZodType): void {
  dropperOf(schema)(value);
}

function dropperOf(schema: z.ZodType): DropNulls {
  const dropper = known.get(schema) ?? createDropper(schema);
  known.set(schema, dropper);
  return dropper;
}

function createDropper(schema: z.ZodType): DropNulls {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodNullable || schema instanceof z.ZodDefault) {
    return dropperOf(schema.unwrap() as z.ZodType);
  }
  if (schema instanceof z.ZodPipe) return dropperOf(schema.in as z.ZodType);
  if (schema instanceof z.ZodArray) return ofItems(dropperOf(schema.element as z.ZodType));
  if (schema instanceof z.ZodObject) return ofFields(schema.shape);
  return nothing;
}

function ofItems(item: DropNulls): DropNulls {
  if (item === nothing) return nothing;
  return (value) => {
    if (Array.isArray(value)) for (const each of value) item(each);
  };
}

function ofFields(shape: Record<string, z.ZodType>): DropNulls {
  const optional = Object.keys(shape).filter((name) => mayBeAbsent(shape[name] as z.ZodType));
  const nested = Object.entries(shape).flatMap(([name, field]) => {
    const dropper = dropperOf(field);
    return dropper === nothing ? [] : [{ name, dropper }];
  });
  if (optional.length + nested.length === 0) return nothing;
  return (value) => {
    if (typeof value !== "object" || value === null) return;
    const fields = value as Record<string, unknown>;
    for (const name of optional) if (fields[name] === null) delete fields[name];
    for (const { name, dropper } of nested) dropper(fields[name]);
  };
}

const mayBeAbsent = (field: z.ZodType) => field.safeParse(undefined).success && !field.safeParse(null).success;
