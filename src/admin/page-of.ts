/**
 * A page out of one row more than asked for: the row too many says that there is a next one. The cursor is the last
 * row's place in the order, so the next page begins behind it whatever has come or gone since.
 */
export function pageOf<Row, Item>(
  rows: Row[],
  limit: number,
  as: { placeOf(row: Row): number; item(row: Row): Item },
): { items: Item[]; next_cursor: string | null } {
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  return {
    items: shown.map(as.item),
    next_cursor: rows.length > limit && last !== undefined ? String(as.placeOf(last)) : null,
  };
}
