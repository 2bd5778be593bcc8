/** Parses what a server wrote on a connection, byte by byte: the complete answers, and the rest. */
export interface HttpAnswer {
  status: number;
  headers: Headers;
  text: string;
}

/** Interim answers (100 Continue) are no answers. */
export function readAnswers(bytes: Buffer): { answers: HttpAnswer[]; rest: Buffer } {
  const answers: HttpAnswer[] = [];
  let rest = bytes;
  for (;;) {
    const read = readAnswer(rest);
    if (read === undefined) return { answers, rest };
    if (read.answer.status >= 200) answers.push(read.answer);
    rest = rest.subarray(read.length);
  }
}

function readAnswer(bytes: Buffer): { answer: HttpAnswer; length: number } | undefined {
  const headEnd = bytes.indexOf("\r\n\r\n");
  const [statusLine = "", ...lines] = bytes.subarray(0, Math.max(headEnd, 0)).toString("latin1").split("\r\n");
  const status = /^HTTP\/1\.[01] (\d{3})(?: |$)/.exec(statusLine)?.[1];
  if (headEnd < 0 || status === undefined) return undefined;
  const headers = new Headers();
  for (const line of lines) headers.append(line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1).trim());
  const start = headEnd + 4;
  const body = /chunked/i.test(headers.get("transfer-encoding") ?? "")
    ? readChunks(bytes, start)
    : readCounted(bytes, start, Number(headers.get("content-length") ?? 0));
  return body && { answer: { status: Number(status), headers, text: body.text }, length: body.end };
}

function readCounted(bytes: Buffer, start: number, length: number) {
  const end = start + length;
  return end > bytes.length ? undefined : { text: bytes.toString("utf8", start, end), end };
}

function readChunks(bytes: Buffer, start: number) {
  const parts: Buffer[] = [];
  for (let at = start; ; ) {
    const lineEnd = bytes.indexOf("\r\n", at);
    const size = Number.parseInt(bytes.toString("latin1", at, Math.max(lineEnd, at)), 16);
    const end = lineEnd + 2 + size + 2;
    if (lineEnd < 0 || Number.isNaN(size) || end > bytes.length) return undefined;
    parts.push(bytes.subarray(lineEnd + 2, end - 2));
    at = end;
    if (size === 0) return { text: Buffer.concat(parts).toString("utf8"), end };
  }
}
