/**
 * Faults planted one at a time into a database of their own: a function's source is taken as it is, pieces of it are
 * replaced, and it is created again. What is replaced must be there, so a mutant cannot rot unnoticed.
 */
import type { Database } from "../../src/database/database.ts";
import type { Lane, Sql } from "../../src/database/lane.ts";
import type { TestDatabase } from "./database.ts";

export type Swap = readonly [from: string | RegExp, to: string];

export type Mutant = {
  /** What the faulty program does. */
  name: string;
} & (
  | {
      fn: string;
      swaps: readonly Swap[];
      /** SQL that goes with it. */
      also?: string;
    }
  /** In a statement that the program itself sends. */
  | { statement: Swap }
);

export type FunctionMutant = Extract<Mutant, { fn: string }>;

/** For a whole body: whatever it says now. */
export const BODY = /AS \$(\w*)\$[\s\S]*\$\1\$/;

/** Plants the fault. What it returns makes a process of the program take part in it. */
export async function plant(db: TestDatabase, mutant: Mutant): Promise<(database: Database) => Database> {
  if ("statement" in mutant) {
    return (database) => ({ ...database, requests: corrupt(database.requests, mutant.statement) });
  }
  const faulty = await plantedSource(db, mutant);
  if (mutant.also) await db.sql.unsafe(mutant.also);
  await db.sql.unsafe(faulty);
  return (database) => database;
}

/** The function with the fault. Throws where the fault does not fit any more. */
export async function plantedSource(db: TestDatabase, { fn, swaps }: FunctionMutant): Promise<string> {
  const [found] = await db.sql`SELECT pg_get_functiondef(${fn}::regproc) AS source`;
  return swaps.reduce(replace, found?.source as string);
}

function replace(source: string, [from, to]: Swap): string {
  const replaced = source.replace(from, () => to);
  if (replaced === source) throw new Error(`there is nothing to replace any more: ${from}`);
  return replaced;
}

/** A lane whose statements are tampered with. One that the swap does not fit goes through as it is. */
function corrupt(lane: Lane, [from, to]: Swap): Lane {
  const tamper = (sql: Sql) =>
    new Proxy(sql, {
      apply(target, self, [strings, ...values]: [TemplateStringsArray, ...unknown[]]) {
        const tampered = strings.map((piece) => piece.replace(from, () => to));
        const template = Object.assign(tampered, { raw: tampered });
        return Reflect.apply(target as unknown as (...args: unknown[]) => unknown, self, [template, ...values]);
      },
    });
  return { ...lane, query: (statement, turn) => lane.query((sql, waits) => statement(tamper(sql), waits), turn) };
}
