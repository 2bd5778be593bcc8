import type { TestDatabase } from "./database.ts";

/** The tables that have a row in which any of the words stands. */
export async function findIn({ sql }: TestDatabase, words: string[]): Promise<string[]> {
  const tables = await sql`
    SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')`;
  const found: string[] = [];
  for (const { name } of tables) {
    const rows = await sql.unsafe(`SELECT row_to_json(t)::text AS text FROM ${name} t`);
    if (rows.some(({ text }) => words.some((word) => text.includes(word)))) found.push(name);
  }
  return found.sort();
}
