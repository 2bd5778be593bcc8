/** keybeat token: what it prints is taken by the service that has the same settings, and by no other. */
import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createVerifyToken } from "../../src/http/user-auth.ts";
import { useDataFolders } from "../database/embedded/support/data-folder.ts";
import { useDatabase } from "../support/database.ts";
import { type CommandResult, keybeat, type RunningServer, startServer } from "../support/process.ts";

const SECRET = "the-secret-of-this-file-alone-and-no-other";
const player = randomUUID();

const token = (args: string[], env: Record<string, string> = { JWT_SECRET: SECRET }) =>
  keybeat(["token", ...args], env);
const printed = ({ code, stdout, stderr }: CommandResult): string => {
  expect([code, stderr]).toEqual([0, ""]);
  expect(stdout).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+\n$/);
  return stdout.trim();
};
const claimsOf = (text: string) => JSON.parse(Buffer.from(text.split(".")[1] as string, "base64url").toString());

/** What the service says of it: of a session that is not there, or of the token. */
const answerTo = async (server: RunningServer, text: string) =>
  (await server.get(`/api/v1/game/sessions/${randomUUID()}`, { Authorization: `Bearer ${text}` })).status;

describe("keybeat token", () => {
  const db = useDatabase();
  let server: RunningServer;
  beforeAll(async () => {
    server = await startServer({ DATABASE_URL: db.url, HOST: "127.0.0.1", JWT_SECRET: SECRET, JWT_AUDIENCE: "a,b" });
  });
  afterAll(async () => void (await server.stop()));

  it("prints a player's token and nothing else, for an hour, that the service takes; and a service's", async () => {
    const env = { JWT_SECRET: SECRET, JWT_AUDIENCE: "a,b", JWT_ISSUER: "us" };
    const text = printed(await token(["--sub", player.toUpperCase()], env));
    const { sub, role, aud, iss, exp, iat } = claimsOf(text);
    expect([sub, role, aud, iss]).toEqual([player, undefined, "a", "us"]);
    expect(Math.abs(exp - iat - 3_600)).toBeLessThan(60);
    expect(await answerTo(server, text)).toBe(404);
    const backend = printed(await token(["--sub", "a backend", "--role", "service"], env));
    expect(claimsOf(backend)).toMatchObject({ sub: "a backend", role: "service" });
    expect(await answerTo(server, backend)).toBe(404);
  });

  it("prints one that the service refuses where its settings are others", async () => {
    expect(await answerTo(server, printed(await token(["--sub", player])))).toBe(401);
    const other = { JWT_SECRET: `${SECRET}-2`, JWT_AUDIENCE: "a" };
    expect(await answerTo(server, printed(await token(["--sub", player], other)))).toBe(401);
  });

  it("says with --json until when it holds, which is what it was asked for", async () => {
    const { stdout } = await token(["--sub", player, "--expires", "2099-01-31", "--json"]);
    const said = JSON.parse(stdout);
    expect(said).toEqual({ token: expect.any(String), sub: player, expires_at: "2099-01-31T23:59:59.999Z" });
    expect(claimsOf(said.token).exp).toBe(Date.parse("2099-01-31T23:59:59Z") / 1000);
    const verified = await createVerifyToken({ secret: SECRET })(said.token);
    expect(verified?.subject).toBe(player);
  });

  it.each([
    [["--sub", "jun"], /^keybeat: --sub must be a UUID; only a token with --role may have another name\n$/],
    [["--sub", " ", "--role", "service"], /^keybeat: --sub must have 1 to 128 characters\n$/],
    [["--sub", player, "--expires", "2020-01-01"], /^keybeat: --expires must not be over already\n$/],
    [["--sub", player, "--expires", "soon"], /^keybeat: the expiry is no date/],
    [["--sub", player, "--role", "king"], /choices are service/],
    [[], /required option '--sub <uuid>'/],
  ])("exits with 2 and the reason where it is used wrongly: %s", async (args, reason) => {
    const { code, stdout, stderr } = await token(args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toMatch(reason);
  });

  it.each([
    [{ DATABASE_URL: "postgres://a:b@127.0.0.1:1/c" }, /^keybeat: no JWT_SECRET is set/],
    [{ JWKS_URL: "https://id.example.com/keys" }, /^keybeat: tokens are signed by whoever publishes JWKS_URL/],
    [
      { DATA_DIR: "/nowhere/at/all" },
      /^keybeat: no secret of tokens in \/nowhere\/at\/all yet; keybeat serve makes one\n$/,
    ],
  ])("is refused where there is no secret to sign with: %o", async (env, reason) => {
    const { code, stdout, stderr } = await token(["--sub", player], env as unknown as Record<string, string>);
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toMatch(reason);
  });
});

describe("keybeat token on the embedded default", () => {
  const { newDataDir, serve } = useDataFolders();

  it("signs with the secret of the first run", async () => {
    const dataDir = await newDataDir();
    const server = await serve(dataDir);
    expect(await answerTo(server, printed(await token(["--sub", player], { DATA_DIR: dataDir })))).toBe(404);
    expect(await answerTo(server, printed(await token(["--sub", player])))).toBe(401);
    expect(await server.stop()).toBe(0);
  });
});
