/** Heads to send, each with what must come back. */

export interface HeadShape {
  name: string;
  /** Each character is a byte. */
  bytes: string;
  /** The statuses that must come back, in their order: "200 400". Several where each is right. */
  right: string[];
  /** The server must close the connection: what follows could be taken for a request that nobody sent. */
  ends: boolean;
}

const MIB = 2 ** 20;
const BODY = '{"session_id":"never-a-session-at-all"}';
const LIVE = "/health/live";
/** A heartbeat of a session that never was: 404 where the request was understood. */
const BEAT = "POST /api/session/heartbeat HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n";

const get = (headers: string, path = LIVE) => `GET ${path} HTTP/1.1\r\nHost: a\r\n${headers}\r\n`;
const beat = (headers: string, body: string) => `${BEAT}${headers}\r\n${body}`;
const chunked = (body: string, headers = "") => beat(`Transfer-Encoding: chunked\r\n${headers}`, body);
const counted = (length: string) => beat(`Content-Length: ${length}\r\n`, BODY);

const refused = (name: string, bytes: string, ...right: string[]): HeadShape => ({
  name,
  bytes,
  right: right.length === 0 ? ["400"] : right,
  ends: true,
});
/** Understood, and answered as any other; the connection may go on. */
const answered = (name: string, bytes: string, ...right: string[]): HeadShape => ({ name, bytes, right, ends: false });

const tooLarge: HeadShape[] = [
  refused("10,000 headers", get(Array.from({ length: 10_000 }, (_, n) => `X-${n}: y\r\n`).join("")), "431"),
  refused("a header of 1 MiB", get(`X: ${"y".repeat(MIB)}\r\n`), "431"),
  refused("a header's name of 1 MiB", get(`${"y".repeat(MIB)}: y\r\n`), "431"),
  refused("a URL of 1 MiB", get("", `/${"y".repeat(MIB)}`), "431"),
  refused("a chunk's extension of 1 MiB", chunked(`1;${"x".repeat(MIB)}\r\n{\r\n`), "400", "413"),
  answered("3,000 headers of 5 bytes", get("a:b\r\n".repeat(3_000)), "200", "431"),
  answered("a URL of 15 KiB", get("", `/${"y".repeat(15_000)}`), "404"),
];

/** If two parsers disagree on the end of this request, an attacker can smuggle a second one past the first. */
const ambiguous: HeadShape[] = [
  refused(
    "Content-Length and Transfer-Encoding, with a request behind",
    beat("Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", `0\r\n\r\n${get("")}`),
  ),
  refused("Transfer-Encoding, then Content-Length", chunked("0\r\n\r\n", "Content-Length: 4\r\n")),
  refused("two lengths", counted(`${BODY.length}\r\nContent-Length: 5`)),
  refused("two equal lengths", counted(`${BODY.length}\r\nContent-Length: ${BODY.length}`)),
  refused("a list of lengths", counted("5, 5")),
  refused("a negative length", counted("-1")),
  refused("a length with a sign", counted(`+${BODY.length}`)),
  refused("a length over 64 bits", counted("99999999999999999999999")),
  refused("an unknown transfer encoding", beat("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n")),
  refused("chunked, then another encoding", chunked("0\r\n\r\n", "Transfer-Encoding: identity\r\n")),
  refused("a chunk's size that is no number", chunked("zz\r\n{\r\n0\r\n\r\n")),
  refused("a chunk's size over 64 bits", chunked("FFFFFFFFFFFFFFFFF\r\n{\r\n0\r\n\r\n")),
  refused("a chunk longer than it says", chunked("2\r\n{}{}{}\r\n0\r\n\r\n")),
  refused("bare line feeds", `GET ${LIVE} HTTP/1.1\nHost: a\n\n`),
  refused("one bare line feed", `GET ${LIVE} HTTP/1.1\r\nHost: a\nX: y\r\n\r\n`),
  refused("a bare carriage return", `GET ${LIVE} HTTP/1.1\r\nHost: a\rX: y\r\n\r\n`),
  refused("a folded header", get("X: a\r\n b\r\n")),
  refused("a space before the colon", get("X : a\r\n")),
  refused("a NUL in a header", get("X: a\0b\r\n")),
];

const noHttp: HeadShape[] = [
  refused("no HTTP", "GIVE ME A SESSION\r\n\r\n"),
  refused("HTTP/9.9", `GET ${LIVE} HTTP/9.9\r\nHost: a\r\n\r\n`),
  refused("a method in lower case", `get ${LIVE} HTTP/1.1\r\nHost: a\r\n\r\n`),
  refused("no slash before the path", "GET health HTTP/1.1\r\nHost: a\r\n\r\n"),
  refused("bytes above 127 in the path", "GET /\xff\xfe HTTP/1.1\r\nHost: a\r\n\r\n"),
  // The parser refuses before the request in front is answered, and it refuses the connection.
  refused("garbage behind a request", `${get("")}GARBAGE GARBAGE\r\n\r\n`, "200 400", "400"),
  refused("NULs behind a request", `${get("")}\0\0\0\0\r\n\r\n`, "200 400", "400"),
  answered("three requests at once", get("").repeat(3), "200 200 200"),
];

/** Well-formed HTTP to somebody else, or of a kind that we do not speak. */
const odd: HeadShape[] = [
  answered("no Host", `GET ${LIVE} HTTP/1.1\r\n\r\n`, "400"),
  answered("an empty Host", `GET ${LIVE} HTTP/1.1\r\nHost:\r\n\r\n`, "200", "400"),
  answered("two Hosts", `GET ${LIVE} HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n`, "200", "400"),
  ...["a b", "[::1", "a/b", "a@b", "x:99999", "\xff\xfe", "a\\b", "a?b#c"].map((host) =>
    answered(`Host: ${host}`, `GET ${LIVE} HTTP/1.1\r\nHost: ${host}\r\n\r\n`, "200", "400"),
  ),
  answered("HTTP/1.0 without Host, as balancers ask for health", `GET ${LIVE} HTTP/1.0\r\n\r\n`, "200"),
  answered("an absolute URL", "GET http://b/health/live HTTP/1.1\r\nHost: a\r\n\r\n", "200", "400", "404"),
  answered("a broken absolute URL", "GET http://[/health/live HTTP/1.1\r\nHost: a\r\n\r\n", "400"),
  answered("OPTIONS *", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "400", "404", "405"),
  answered("a backslash in the path", get("", "/api\\..\\health"), "400", "404"),
  answered("a broken percent sign", get("", "/%zz"), "400", "404"),
  answered("an unknown expectation", beat(`Expect: luck\r\nContent-Length: ${BODY.length}\r\n`, BODY), "404", "417"),
  answered("100-continue", beat(`Expect: 100-continue\r\nContent-Length: ${BODY.length}\r\n`, BODY), "404"),
  answered("trailers", chunked(`${BODY.length.toString(16)}\r\n${BODY}\r\n0\r\nX: y\r\n\r\n`), "404"),
  answered("a body with a GET", `${get("Content-Length: 5\r\n")}hello`, "200"),
];

export const HEAD_SHAPES: HeadShape[] = [...tooLarge, ...ambiguous, ...noHttp, ...odd];
