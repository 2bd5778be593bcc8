/** Several programs on one data folder. */
import { existsSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { keybeat } from "../../support/process.ts";
import { newAccessKey } from "../../support/secrets.ts";
import { useDataFolders } from "./support/data-folder.ts";

const { expectRefused, importKeys, markOf, newDataDir, printed, serve, start } = useDataFolders();

describe("one folder, several programs", () => {
  it("a second serve is refused with one line and exit 1, and the first goes on", async () => {
    const dataDir = await newDataDir();
    const first = await serve(dataDir);
    const result = await keybeat(["serve"], { DATA_DIR: dataDir, PORT: "0" });
    expectRefused(result, new RegExp(`in use by another Keybeat process.*${first.child.pid}`));
    expect((await first.get("/health")).status).toBe(200);
    expect(await first.stop()).toBe(0);
  });

  it("keys create works while it is served, and the key is good at once; and when it is not, and leaves nothing running", async () => {
    const dataDir = await newDataDir();
    const create = async () => {
      const { code, stdout, stderr } = await keybeat(["keys", "create", "--key", newAccessKey()], {
        DATA_DIR: dataDir,
      });
      expect([code, stderr]).toEqual([0, ""]);
      return stdout.trim();
    };
    const before = await create();
    expect(existsSync(markOf(dataDir))).toBe(false);
    const first = await serve(dataDir);
    expect(first.output()).not.toContain("demo key");
    const during = await create();
    for (const key of [before, during]) expect((await start(first, key)).status).toBe(200);
    expect(await first.stop()).toBe(0);
    const after = await create();
    expect(existsSync(markOf(dataDir))).toBe(false);
    const second = await serve(dataDir);
    for (const key of [before, during, after]) expect((await start(second, key)).status).toBe(200);
    expect(await second.stop()).toBe(0);
  });

  it.each(["a fresh", "an existing"])(
    "two keys create at once on %s folder both succeed, and a serve that comes with them",
    async (kind) => {
      const dataDir = await newDataDir();
      if (kind === "an existing") await importKeys(dataDir, 1);
      const [a, b, server] = await Promise.all([
        keybeat(["keys", "create"], { DATA_DIR: dataDir }),
        keybeat(["keys", "create"], { DATA_DIR: dataDir }),
        serve(dataDir),
      ]);
      for (const result of [a, b]) {
        expect(result).toMatchObject({ code: 0, stderr: expect.stringMatching(/^(keybeat: waiting for .*\n)*$/) });
        expect((await start(server, result.stdout.trim())).status).toBe(200);
      }
      expect(await server.stop()).toBe(0);
      expect(existsSync(markOf(dataDir))).toBe(false);
    },
  );

  it("two workers share the embedded default: one welcome, and the made-up token is good in both", async () => {
    const dataDir = await newDataDir();
    const server = await serve(dataDir, { WORKERS: "2" });
    const token = printed(server, "admin token");
    for (let call = 0; call < 4; call++) {
      const headers = { Authorization: `Bearer ${token}`, Connection: "close" };
      expect((await server.post("/api/admin/cleanup-sessions", {}, headers)).status).toBe(200);
    }
    expect(server.output().match(/^demo key/gm)).toHaveLength(1);
    expect(await server.stop()).toBe(0);
    expect(existsSync(markOf(dataDir))).toBe(false);
  });
});
