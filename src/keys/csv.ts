/**
 * One line of CSV (RFC 4180, without line breaks inside a field) -> its fields, trimmed where not quoted; undefined if
 * its quotation marks do not fit.
 */
export function splitCsvLine(line: string): string[] | undefined {
  const fields: string[] = [];
  const field = /\s*(?:"((?:[^"]|"")*)"\s*|((?:[^\s,"][^,]*)?))(,|$)/y;
  for (;;) {
    const match = field.exec(line);
    if (!match) return undefined;
    fields.push(match[1] === undefined ? (match[2] ?? "").trimEnd() : match[1].replaceAll('""', '"'));
    if (match[3] === "") return fields;
  }
}
