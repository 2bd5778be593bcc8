/** What a text of keys is read as: every kind of spreadsheet's, and nothing by a guess. */
import { describe, expect, it } from "vitest";
import { type Reading, readKeys } from "../../src/keys/import-read.ts";
import { expectLinear } from "../support/growth.ts";
import { newAccessKey } from "../support/secrets.ts";

/** In pieces of that many bytes. */
async function* inPieces(bytes: Buffer, size: number) {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function read(text: string | Buffer, { charset, size = 65_536 }: { charset?: string; size?: number } = {}) {
  const invalid: Array<[line: number, reason: string]> = [];
  const reading: Reading = {
    lines: 0,
    separator: "",
    table: undefined,
    guessed: false,
    refuse: (line, reason) => invalid.push([line, reason]),
  };
  const keys: Array<[key: string, label: string | null, expires: string | null]> = [];
  const bytes = typeof text === "string" ? Buffer.from(text) : text;
  for await (const { key, label, expiresAt } of readKeys(inPieces(bytes, size), charset, reading)) {
    keys.push([key, label, expiresAt]);
  }
  return { keys, invalid, reading };
}

const DAY = "2099-01-31T23:59:59.999Z";

describe("a text of keys", () => {
  const TABLES: Array<[what: string, text: string | Buffer]> = [
    ["a comma", "key,label,expires\nk-1,ACME,2099-01-31\nk-2,,\n"],
    ["a semicolon", "key;label;expires\nk-1;ACME;2099-01-31\nk-2;;\n"],
    ["a tab", "key\tlabel\texpires\nk-1\tACME\t2099-01-31\nk-2\t\t\n"],
    ["a line that says so", "sep=;\nkey;label;expires\nk-1;ACME;2099-01-31\nk-2\n"],
    ["a line that says another", '"sep=|"\r\nkey|label|expires\r\nk-1|ACME|2099-01-31\r\nk-2\r\n'],
    ["no heading", "k-1;ACME;2099-01-31\nk-2\n"],
    ["another order", "Expires at;Customer;Access Key\n2099-01-31;ACME;k-1\n;;k-2\n"],
    ["other columns", "id,KEY,city,Label,expires,x\n1,k-1,Paris,ACME,2099-01-31,\n2,k-2,,,,\n"],
    ["names in one word, in the plural, with a remark", "accessKeys;Owner;expiresAt (UTC)\nk-1;ACME;2099-01-31\nk-2\n"],
    ["other words", "Valid-To,Customer name,Product_Key\n2099-01-31,ACME,k-1\n,,k-2\n"],
    ["quotes everywhere", '"key","label","expires"\r\n"k-1","ACME","2099-01-31"\r\n"k-2","",""\r\n'],
    ["empty columns behind", "k-1,ACME,2099-01-31,,,\nk-2,,,,,\n"],
    ["empty lines", "\n\n key , label , expires \n\nk-1 , ACME , 2099-01-31\n;;\n".replace(";;", ",,") + "k-2\n\n"],
    ["CR alone", "key,label,expires\rk-1,ACME,2099-01-31\rk-2"],
    ["UTF-8 with a mark", "\ufeffkey,label,expires\nk-1,ACME,2099-01-31\nk-2"],
    ["UTF-16 LE", Buffer.from("\ufeffkey\tlabel\texpires\r\nk-1\tACME\t2099-01-31\r\nk-2\r\n", "utf16le")],
    ["UTF-16 BE", Buffer.from("\ufeffkey,label,expires\r\nk-1,ACME,2099-01-31\r\nk-2\r\n", "utf16le").swap16()],
    ["what nobody sees around it", "key,label,expires\n\u200bk-1\u00a0,ACME,2099-01-31\n\u2060k-2\ufeff\n"],
  ];
  it.each(TABLES)("is read with %s, in pieces of any size", async (_, text) => {
    for (const size of [1, 2, 3, 7, 65_536]) {
      const { keys, invalid } = await read(text, { size });
      expect({ keys, invalid }).toEqual({
        keys: [
          ["k-1", "ACME", DAY],
          ["k-2", null, null],
        ],
        invalid: [],
      });
    }
  });

  const LABELS: Array<[what: string, bytes: Buffer, charset: string | undefined, label: string]> = [
    ["UTF-8", Buffer.from("k,Zoë 🚀"), undefined, "Zoë 🚀"],
    ["Windows-1252", Buffer.from("k,M\xfcller \x80 \x93x\x94", "latin1"), undefined, "Müller € “x”"],
    ["Windows-1252 by its name", Buffer.from("k,\x80 \x9f \xe9", "latin1"), "latin1", "€ Ÿ é"],
    ["Windows-1250", Buffer.from("k,\x8a\x9dastn\xfd", "latin1"), "windows-1250", "Šťastný"],
    ["Windows-1251", Buffer.from("k,\xcc\xe8\xf0", "latin1"), "cp1251", "Мир"],
    ["Shift JIS", Buffer.from("6b2c83658358836783", "hex").subarray(0, 8), "shift_jis", "テスト"],
    ["UTF-16 without a mark", Buffer.from("k,Zoë", "utf16le"), "utf-16le", "Zoë"],
  ];
  it.each(LABELS)("in %s gives its labels", async (_, bytes, charset, label) => {
    const { keys, reading } = await read(bytes, { ...(charset && { charset }), size: 3 });
    expect(keys).toEqual([["k", label, null]]);
    expect(reading.guessed).toBe(charset === undefined && label.startsWith("M"));
  });

  it("has fields with quotes, separators and line ends in them, and goes on counting lines", async () => {
    const text = 'k-1,"Miller, ""Bob"""\nk-2,"two\r\nlines"\nk-3,5" disk\n"k-4" , "x" \nbad key,x\n"k-5","a\n\nb"';
    const { keys, invalid } = await read(text);
    expect(keys.map(([key, label]) => [key, label])).toEqual([
      ["k-1", 'Miller, "Bob"'],
      ["k-2", "two\nlines"],
      ["k-3", '5" disk'],
      ["k-4", "x"],
      ["k-5", "a\n\nb"],
    ]);
    expect(invalid.map(([line]) => line)).toEqual([6]);
  });

  const ours = newAccessKey();
  const minted = "4kgyrcyxmrzp7f07tzgqz6vy7pxwab6y";
  const REFUSED: Array<[what: string, text: string, line: number, reason: RegExp]> = [
    ["another separator than in the first line", "k-1\nk-2;ACME", 2, /blank or a separator/],
    ["a tab after commas", "k-1,ACME\nk-2\tACME", 2, /blank or a separator/],
    ["a bar that nobody has named", "k-1|ACME", 1, /blank or a separator/],
    ["a blank", "k 1", 1, /blank or a separator/],
    ["a blank that nobody sees", "k\u200b1", 1, /blank or a separator/],
    ["two keys in a line", `${minted} ${minted}`, 1, /blank or a separator/],
    ["a key of ours as a label", `ACME,${minted}`, 1, /looks like an access key/],
    [
      "the same as people type it",
      `ACME,key: ${minted.toUpperCase().replaceAll("0", "O")}`,
      1,
      /looks like an access key/,
    ],
    ["a key of ours as an expiry", `k,ACME,${ours}`, 1, /no date/],
    ["too many columns", "k,ACME,2099-01-31,x", 1, /more than 3 columns/],
    ["more columns than the heading", "key,label\nk,ACME,2099-01-31", 2, /more than 2 columns/],
    ["a heading without the key", "label;expires\nACME;2099-01-31", 1, /no column named key/],
    ["a heading that names it twice", "key;access_key\nk-1;k-2", 1, /two columns for key/],
    ["a title above the heading", "Our keys,,\nlabel,key\nACME,k-2", 1, /no column named key/],
    ["a heading below", "k-1,x\nlabel,key\nACME,k-2", 2, /heading in a later line/],
    ["the heading again", "key,label\nkey,label\nk-2,ACME", 2, /heading in a later line/],
    ["its own key as a label", "key,label\nk-2,k-2", 2, /looks like an access key/],
    ["a label that has the key in it", "key,label\nk-2-long-enough,Key k-2-long-enough", 2, /looks like an access key/],
    ["somebody's key as a label, without a heading", "ACME,FOO1-BAR2-BAZ3", 1, /looks like an access key/],
    [
      "a UUID as a label, without a heading",
      "ACME,3f2a91c0-7d1e-4c55-9a51-5b1d5c9d7e10",
      1,
      /looks like an access key/,
    ],
    ["a formula for a key", 'key\n="0012"', 2, /formula/],
    ["a formula in quotes for a key", 'key\n"=""0012"""', 2, /formula/],
    ["an error for a key", "key\n#REF!", 2, /formula/],
    ["JSON", '["k-2","ACME"]', 1, /formula/],
    ["a number that was rounded", "key\n1.23457E+15", 2, /rounded/],
    ["the same with a comma", "key;label\n1,23457E+15;ACME", 2, /blank or a separator/],
    ["no key", "key,label\n,ACME", 2, /the key is empty/],
    ["a quotation mark that is not closed", 'k-1\n"k-2', 2, /not closed/],
    ["a quotation mark within", '"k-1"x,y', 1, /out of place/],
    ["too long a key", "k".repeat(513), 1, /over 512/],
    ["too long a line", `k,${"x".repeat(5_000)}`, 1, /over 4096/],
    ["letters of a code page that nobody has named", "cl\xe9", 1, /UTF-8/],
    ["UTF-16 without its mark", "k\0e\0y\0", 1, /well-formed/],
  ];
  it.each(REFUSED)("with %s is refused there, without the text", async (what, text, line, reason) => {
    const bytes = what.startsWith("letters") ? Buffer.from(text, "latin1") : Buffer.from(text);
    const { keys, invalid } = await read(bytes);
    expect(invalid).toEqual([[line, expect.stringMatching(reason)]]);
    expect(keys.map(([key]) => key)).toEqual(line === 2 && text.startsWith("k-1") ? ["k-1"] : []);
    for (const secret of [ours, minted, "k-2", "ACME"]) expect(invalid[0]?.[1]).not.toContain(secret);
  });

  it("keeps no more of a line than may be read of it", async () => {
    const { invalid } = await read(Buffer.concat([Buffer.alloc(20_000_000, "k"), Buffer.from("\nk\n")]));
    expect(invalid.map(([line]) => line)).toEqual([1]);
  });

  it("takes no longer where the last row of what is read at once goes on", { timeout: 60_000 }, async () => {
    const time = async (text: string) => {
      const began = performance.now();
      const { keys, invalid } = await read(text);
      expect([keys.length, invalid]).toEqual([20_000, []]);
      return performance.now() - began;
    };
    const onOneLine = '"k","a b"\n'.repeat(20_000);
    await time(onOneLine);
    const overThree = '"k","a\nb\nc"\n'.repeat(20_000); // of a hundred lines the last is never a row's last
    expect(await time(overThree)).toBeLessThan(6 * (await time(onOneLine)));
  });

  it("takes time as it is long", { timeout: 300_000 }, async () => {
    const LINES = [
      ...[
        "k\n",
        `k,${"x ".repeat(2_000)}\n`,
        `,${" ".repeat(4_000)}\n`,
        '"\n',
        '"k","x"\n',
        '"""x\n',
        `"k","${"a\n".repeat(50)}"\n`,
      ],
      ...[`${'"",'.repeat(1_300)}\n`, `k,${'"'.repeat(4_000)}\n`, "\r", "k", `"${"y,".repeat(2_000)}\n`],
    ];
    for (const line of LINES) {
      const texts = new Map([10_000, 40_000].map((n) => [n, Buffer.from(line.repeat(Math.ceil(n / line.length)))]));
      await expectLinear(JSON.stringify(line.slice(0, 20)), 20_000, (n) => read(texts.get(n) as Buffer));
    }
  });
});
