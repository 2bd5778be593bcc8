/** A key is the same key however it was pasted or typed: on every way in, and in both clients. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { startSession } from "../../src/client/index.ts";
import { asMinted, trimKey } from "../../src/keys/written.ts";
import { byToken } from "../admin/support/admin.ts";
import { useApp } from "../support/app.ts";
import { useDatabase } from "../support/database.ts";
import { keybeat } from "../support/process.ts";

const db = useDatabase();
const app = useApp(db);

/** All that Unicode calls a blank, a line's or paragraph's end, a format or control character, or without ink. */
const UNSEEN = Array.from({ length: 0x110000 }, (_, code) => code)
  .filter((code) => code > 0 && (code < 0xd800 || code > 0xdfff))
  .map((code) => String.fromCodePoint(code))
  .filter((character) => /[\s\p{Cf}\p{Cc}\p{Zs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/u.test(character))
  .concat("\u2800");
const PASTED = [
  " ",
  "\t",
  "\r\n",
  "\u00a0",
  "\u200b",
  "\u2060",
  "\ufeff",
  "\u00ad",
  "\u202e",
  "\u2028",
  "\u3164",
  " \u200f\n\ufeff",
];

const create = async (access_key?: string) => {
  const { status, body } = await byToken(app).post("/keys", access_key === undefined ? {} : { access_key });
  return { status, key: body.access_key as string, id: body.id as number };
};
const start = async (access_key: string) => {
  const { status, body } = await app.post("/api/session/start", { access_key });
  return [status, body.code ?? "started"];
};
const around = (text: string, what: string) => `${what}${text}${what}`;
const typed = (key: string) => [
  key.toUpperCase(),
  key.replaceAll("0", "O").replaceAll("1", "I"),
  key.toUpperCase().replaceAll("0", "o").replaceAll("1", "l"),
  key.replaceAll("1", "L"),
];
/** One that has what people mistake. */
async function mintedWithLookalikes() {
  for (;;) {
    const made = await create();
    if (/0/.test(made.key) && /1/.test(made.key)) return made;
  }
}

describe("a pasted key", () => {
  it("loses each character that nobody sees around it, and none within", () => {
    expect(UNSEEN.length).toBeGreaterThan(400);
    for (const unseen of UNSEEN) {
      expect([unseen, trimKey(around(`a${unseen}b`, unseen.repeat(2)))]).toEqual([unseen, `a${unseen}b`]);
      expect(trimKey(unseen)).toBe("");
    }
    expect(trimKey("\0 a \0")).toBe("\0 a \0");
  });

  it("starts, is known, found, and not made or taken in twice", async () => {
    const { key, id } = await mintedWithLookalikes();
    const { key: other } = await db.makeKey();
    for (const [at, text] of [
      ...PASTED.map((what) => around(key, what)),
      ...typed(key),
      ` ${key.toUpperCase()}\n`,
    ].entries()) {
      expect([at, await start(text)]).toEqual([at, [200, "started"]]);
      expect((await app.post("/api/session/status", { access_key: text })).body.active).toBe(true);
      const admin = byToken(app);
      expect((await create(text)).status).toBe(409);
      expect(
        (await admin.post("/keys/search", { access_key: text })).body.items.map((item: { id: number }) => item.id),
      ).toEqual([id]);
      expect((await admin.post("/sessions/search", { access_key: text })).body.items.length).toBe(1);
      const lines = `key,label\n"${text}",x\n${other},\n`;
      const { body } = await admin.send("POST", "/keys/import", lines, { "Content-Type": "text/csv" });
      expect(body).toEqual({ imported: 0, skipped_known: 2, invalid: [] });
    }
  });

  it("is the same to the command line, which keeps it as it is minted", { timeout: 180_000 }, async () => {
    const { key, id } = await mintedWithLookalikes();
    const env = { DATABASE_URL: db.url };
    for (const text of [around(key, "\u00a0"), key.toUpperCase()]) {
      expect((await keybeat(["keys", "create", "--key", text], env)).stderr).toBe("keybeat: that key exists already\n");
    }
    const fresh = "4kgyrcyxmrzp7f07tzgqz6vy7pxwab6y";
    const made = await keybeat(["keys", "create", "--key", ` ${fresh.toUpperCase().replaceAll("0", "O")}\ufeff`], env);
    expect([made.code, made.stdout]).toEqual([0, `${fresh}\n`]);
    expect(await start(fresh)).toEqual([200, "started"]);
    const revoked = await keybeat(["keys", "revoke", ` ${key.toUpperCase()}`, "--json"], env);
    expect(JSON.parse(revoked.stdout)).toMatchObject({ id, revoked: true });
  });

  it("has its length without what is around it", async () => {
    const long = "k".repeat(512);
    await db.sql`INSERT INTO keys (key_hash, key_prefix) VALUES (${db.hashKey(long)}, 'kkkkkkkk')`;
    expect(await start(around(long, " \u200b".repeat(50)))).toEqual([200, "started"]);
    expect(await start(` ${long}k`)).toEqual([400, "invalid_request"]);
    expect((await create(` ${long}k`)).status).toBe(400);
  });
});

describe("a key of somebody else's making", () => {
  it("is its own in case and look-alikes", async () => {
    const { status, key } = await create("Order-1O0-l");
    expect([status, key]).toEqual([201, "Order-1O0-l"]);
    for (const text of ["order-1O0-l", "Order-100-l", "Order-1O0-1"])
      expect(await start(text)).toEqual([403, "invalid_key"]);
    expect(await start(" Order-1O0-l\n")).toEqual([200, "started"]);
  });

  it("is still known where it looks like one of ours and was kept as it was written", async () => {
    const key = "0123456789ABCDEF0123456789ABCDEF";
    expect(asMinted(key)).toBe(key.toLowerCase());
    await db.sql`INSERT INTO keys (key_hash, key_prefix) VALUES (${db.hashKey(key)}, '01234567')`;
    expect(await start(key)).toEqual([200, "started"]);
    expect((await create(key)).status).toBe(409);
    const { body } = await byToken(app).send("POST", "/keys/import", `${key}\n`, { "Content-Type": "text/csv" });
    expect(body).toEqual({ imported: 0, skipped_known: 1, invalid: [] });
  });
});

describe("the clients", () => {
  /** Overlong names, and what is kept of them. */
  const NAMES: Array<[given: string, kept: string]> = [
    [`${"n".repeat(99)}🖥🖥`, `${"n".repeat(99)}🖥`],
    [`${"n".repeat(99)}🖥\ufe0f`, "n".repeat(99)],
    ["🖥".repeat(101), "🖥".repeat(100)],
    [`${"n".repeat(98)}👨‍👩‍👧`, "n".repeat(98)],
    [`${"n".repeat(99)}👍🏽`, "n".repeat(99)],
    [`${"n".repeat(99)}🇩🇪`, "n".repeat(99)],
    [`${"n".repeat(98)}🇩🇪🇫🇷`, `${"n".repeat(98)}🇩🇪`],
    [`${"n".repeat(96)}🏴󠁧󠁢󠁥󠁮󠁧󠁿`, "n".repeat(96)],
    [`${"n".repeat(99)}1\ufe0f\u20e3`, "n".repeat(99)],
    [`${"n".repeat(99)}e\u0301`, "n".repeat(99)],
    [`${"n".repeat(98)}क्ष`, "n".repeat(98)],
    [`${"n".repeat(99)}\u1112\u1161\u11ab`, "n".repeat(99)],
    [`${"n".repeat(99)}\r\n`, "n".repeat(99)],
    [`${"n".repeat(99)}\u200bn`, `${"n".repeat(99)}\u200b`],
    [`e${"\u0301".repeat(200)}`, `e${"\u0301".repeat(99)}`],
    [`${"n".repeat(100)}\ud83d`, "n".repeat(100)],
  ];
  const devices = NAMES.map(([name]) => ({ name, platform: "p".repeat(60), app_version: "v\ud800" }));
  const KEPT = NAMES.map(([, name]) => ({ name, platform: "p".repeat(50), app_version: "v\ufffd" }));

  it("and the service itself keep the very same of a device's texts", async () => {
    const { key } = await db.makeKey();
    const kept = [];
    for (const device of devices) {
      expect((await app.post("/api/session/start", { access_key: key, device })).status).toBe(200);
      kept.push((await app.post("/api/session/status", { access_key: key })).body.session.device);
    }
    expect(kept).toEqual(KEPT);
  });

  it("send a key without what nobody sees, and a device cut to its length: TypeScript", async () => {
    const { key } = await db.makeKey();
    const sent: unknown[] = [];
    for (const device of devices) {
      const session = await startSession({
        url: app.url,
        accessKey: ` \ufeff${key}\u00a0\n`,
        device,
        fetch: (url, init) => {
          if (url.endsWith("/start")) sent.push(JSON.parse(String(init?.body)));
          return fetch(url, init);
        },
      });
      await session.end();
    }
    expect(sent).toMatchObject(KEPT.map((device) => ({ access_key: key, device })));
  });

  it("and Python", async () => {
    const { key } = await db.makeKey();
    const script = `
import json, sys, keybeat
key, devices = json.loads(sys.argv[2])
sent = []
for device in devices:
    session = keybeat.start_session(sys.argv[1], key, device=device)
    sent.append([session._options.access_key, session._options.device])
    session.end()
print(json.dumps(sent))
`;
    const given = JSON.stringify([` \ufeff${key}\u00a0\n`, devices]);
    const { stdout } = await promisify(execFile)("python3", ["-c", script, app.url, given], {
      cwd: "src/client/python",
    });
    expect(JSON.parse(stdout)).toEqual(KEPT.map((device) => [key, device]));
  });
});
