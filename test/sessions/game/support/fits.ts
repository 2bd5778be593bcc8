/** Whether one JSON schema of the OpenAPI 3.0 dialect takes all that another one allows. */

// biome-ignore lint/suspicious/noExplicitAny: schemas are of many shapes
export type Schema = any;

export interface Sides {
  narrow: (schema: Schema) => Schema;
  wide: (schema: Schema) => Schema;
}

/** What `narrow` allows and `wide` does not, by where it lies. `resolve`: what stands for each one's references. */
export function findMisfits(narrow: Schema, wide: Schema, resolve: Sides, at = ""): string[] {
  const [inner, outer] = [resolve.narrow(narrow), resolve.wide(wide)];
  const alternatives = inner.anyOf ?? inner.oneOf;
  if (alternatives) {
    return alternatives.flatMap((one: Schema, n: number) => findMisfits(one, wide, resolve, `${at}|${n}`));
  }
  return [
    ...ofKind(inner, outer, at),
    ...ofBounds(inner, outer, at),
    ...(outer.type === "object" ? ofObject(inner, outer, resolve, at) : []),
    ...(outer.type === "array" ? findMisfits(inner.items ?? {}, outer.items, resolve, `${at}[]`) : []),
  ];
}

function ofKind(inner: Schema, outer: Schema, at: string): string[] {
  const faults: string[] = [];
  const same = inner.type === outer.type || (inner.type === "integer" && outer.type === "number");
  if (outer.type !== undefined && !same) faults.push(`${at}: ${inner.type} is no ${outer.type}`);
  if (inner.nullable) faults.push(`${at}: may be null`);
  if (outer.format !== undefined && !["int32", inner.format].includes(outer.format)) {
    faults.push(`${at}: is no ${outer.format}`);
  }
  const beyond = outer.enum && (inner.enum ?? ["anything"]).filter((value: unknown) => !outer.enum.includes(value));
  if (beyond?.length > 0) faults.push(`${at}: may be ${beyond.join()}`);
  return faults;
}

const UPPER = ["maximum", "maxLength", "maxItems"];
const LOWER = ["minimum", "minLength", "minItems"];

function ofBounds(inner: Schema, outer: Schema, at: string): string[] {
  const says = (name: string) => `${at}: has ${name} ${inner[name]} for ${outer[name]}`;
  // Of a moment, or of listed words, the length is bounded too.
  const isShort = inner.enum !== undefined || inner.format === "date-time";
  const looser = (name: string, within: (ours: number, theirs: number) => boolean) =>
    outer[name] !== undefined &&
    !(name === "maxLength" && isShort) &&
    !(inner[name] !== undefined && within(inner[name], outer[name]));
  return [
    ...UPPER.filter((name) => looser(name, (ours, theirs) => ours <= theirs)),
    ...LOWER.filter((name) => looser(name, (ours, theirs) => ours >= theirs)),
  ].map(says);
}

function ofObject(inner: Schema, outer: Schema, resolve: Sides, at: string): string[] {
  const mine = inner.properties ?? {};
  const optional = (outer.required ?? []).filter((name: string) => !(inner.required ?? []).includes(name));
  return [
    ...optional.map((name: string) => `${at}.${name}: may be missing`),
    ...Object.entries(mine).flatMap(([name, schema]) => {
      const expected = outer.properties?.[name] ?? outer.additionalProperties;
      return typeof expected === "object" ? findMisfits(schema, expected, resolve, `${at}.${name}`) : [];
    }),
  ];
}

/** Of the properties of the one, those that the other does not know at all. */
export function findUnknown(known: Schema, schema: Schema, resolve: Sides, at = ""): string[] {
  const [mine, theirs] = [resolve.narrow(known), resolve.wide(schema)];
  const alternatives: Schema[] = mine.anyOf ?? mine.oneOf ?? [mine];
  return Object.entries(theirs.properties ?? {}).flatMap(([name, part]) => {
    const found = alternatives.map((one) => resolve.narrow(one).properties?.[name]).find((one) => one !== undefined);
    if (found === undefined) return [`${at}.${name}: is unknown`];
    const items = resolve.wide(part).items;
    if (items) return findUnknown(resolve.narrow(found).items, items, resolve, `${at}.${name}[]`);
    return findUnknown(found, part, resolve, `${at}.${name}`);
  });
}
