const PAGE_SIZE = 1000;

/** All rows in id order, one page at a time, so that a million of them need no memory. */
export async function* allById<Row>(
  select: (page: { after: number; limit: number }) => Promise<Row[]>,
  idOf: (row: Row) => number,
): AsyncGenerator<Row> {
  for (let after = 0; ; ) {
    const page = await select({ after, limit: PAGE_SIZE });
    yield* page;
    const last = page.at(-1);
    if (!last || page.length < PAGE_SIZE) return;
    after = idOf(last);
  }
}
