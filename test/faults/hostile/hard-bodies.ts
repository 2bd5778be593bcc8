/** Bodies within the 16 KiB that are read, each of them hard on something. */

export interface HardBody {
  name: string;
  bytes: Buffer;
  /** refused: a 400 that says why. any: whatever suits the route, only no 5xx. */
  right: "refused" | "any";
}

export const BODY_BYTES_MAX = 16 * 1024;

/** `sessionId` has never been used. A NUL, half a surrogate pair: PostgreSQL keeps neither in a text. */
export function hardBodies({ accessKey, sessionId }: { accessKey: string; sessionId: string }): HardBody[] {
  const whole = { access_key: accessKey, session_id: sessionId };
  /** Beside fields that are right for every route; unknown ones are ignored. */
  const beside = (json: string) => `${JSON.stringify(whole).slice(0, -1)},${json}}`;
  const fill = (open: string, middle: string, close: string) => {
    const room = BODY_BYTES_MAX - beside(`"x":${middle}`).length;
    const depth = Math.floor(room / (open.length + close.length));
    return beside(`"x":${open.repeat(depth)}${middle}${close.repeat(depth)}`);
  };
  const refused = (name: string, body: string | Buffer): HardBody => ({
    name,
    bytes: Buffer.from(body),
    right: "refused",
  });
  const any = (name: string, body: string | Buffer): HardBody => ({ name, bytes: Buffer.from(body), right: "any" });
  const badUtf8 = (field: string) => {
    const [before, after] = JSON.stringify({ ...whole, [field]: "abcdefghijklmnop!" }).split("!") as [string, string];
    return Buffer.concat([Buffer.from(before), Buffer.from([0xff, 0xfe, 0xc0]), Buffer.from(after)]);
  };
  return [
    any("arrays in arrays", fill("[", "1", "]")),
    any("objects in objects", fill('{"a":', "1", "}")),
    refused("16,384 open arrays", "[".repeat(BODY_BYTES_MAX)),
    refused("open objects", '{"a":'.repeat(BODY_BYTES_MAX / 5)),
    refused("arrays in the place of a text", `{"access_key":${"[".repeat(8000)}${"]".repeat(8000)},"session_id":[]}`),
    any("a number of 15,000 digits", beside(`"x":${"9".repeat(15_000)}`)),
    any("numbers over every range", beside('"x":[1e999,-1e999,1e-999,123456789012345678901234567890]')),
    any("a generation over every range", beside('"expected_generation":1e400')),
    any("a generation of 2^63", beside('"expected_generation":9223372036854775808')),
    any("a generation that fits no bigint but a double", beside('"expected_generation":9007199254740991')),
    any("a negative zero", beside('"expected_generation":-0')),
    any("__proto__", beside('"__proto__":{"on_conflict":"refuse","device":{"name":"polluted"}}')),
    any(
      "constructor.prototype",
      beside('"constructor":{"prototype":{"on_conflict":"refuse","session_id":"polluted"}}'),
    ),
    any("a device with __proto__", beside('"device":{"__proto__":{"name":1},"constructor":1,"toString":null}')),
    refused("nothing but __proto__", `{"__proto__":${JSON.stringify(whole)}}`),
    any("each key twice", `{"access_key":1,"session_id":2,${JSON.stringify(whole).slice(1)}`),
    refused("each key twice, the wrong one last", beside('"access_key":1,"session_id":2')),
    any("1,500 keys", beside(Array.from({ length: 1_500 }, (_, n) => `"k${n}":0`).join(","))),
    refused(
      "NULs in the key and the id",
      '{"access_key":"\\u0000\\u0000abcdefghijklmnopqr","session_id":"abcdefgh\\u0000ijklmnop"}',
    ),
    refused("nothing but NULs", `{"access_key":"${"\\u0000".repeat(40)}","session_id":"${"\\u0000".repeat(40)}"}`),
    refused("a key of NULs and no id", `{"access_key":"${"\\u0000".repeat(40)}"}`),
    any("a NUL in a device's name", beside('"device":{"name":"a\\u0000b"}')),
    any(
      "a NUL in every part of a device",
      beside('"device":{"name":"\\u0000","platform":"\\u0000","app_version":"\\u0000"}'),
    ),
    any("half a surrogate pair in a device's name", beside('"device":{"name":"\\ud800"}')),
    refused(
      "half surrogate pairs in the key and the id",
      '{"access_key":"\\udc00\\ud800abcdefghijklmnop","session_id":"\\ud800abcdefghijklmnop"}',
    ),
    refused("a NUL behind the body", `${JSON.stringify(whole)}\0`),
    refused("a NUL before the body", `\0${JSON.stringify(whole)}`),
    any("a byte order mark", `\ufeff${JSON.stringify(whole)}`),
    refused("UTF-16", Buffer.from(JSON.stringify(whole), "utf16le")),
    any("bytes that are no UTF-8 in the key", badUtf8("access_key")),
    refused(
      "bytes that are no UTF-8 in both",
      Buffer.concat([Buffer.from('{"session_id":"'), Buffer.alloc(40, 0xff), Buffer.from('"}')]),
    ),
    refused("nothing but bytes above 127", Buffer.alloc(1_000, 0xfe)),
    any("every control character, escaped", beside(`"device":{"name":"${controls()}"}`)),
    refused("control characters as they are", beside('"device":{"name":"\u0001\u0002\u001f"}')),
    any("text that turns around", beside('"device":{"name":"\u202e\u2066\ufffe\uffff\u{10ffff}"}')),
    any(
      "SQL in a device's name",
      beside(`"device":{"name":"'; DROP TABLE keys; --","platform":"\\\\x00","app_version":"%s$1"}`),
    ),
    refused("an empty body", ""),
    refused("white space", " ".repeat(BODY_BYTES_MAX)),
  ];
}

const controls = () => Array.from({ length: 31 }, (_, at) => `\\u${(at + 1).toString(16).padStart(4, "0")}`).join("");
