/** What holds for every command: its help, and how it handles wrong usage. */
import { describe, expect, inject, it } from "vitest";
import { databaseUrl } from "../support/database-url.ts";
import { keybeat } from "../support/process.ts";

const COMMANDS: Array<[command: string, mustSay: RegExp[]]> = [
  ["serve", [/run the service/, /environment/]],
  ["migrate", [/schema up to date/, /safe/, /--json/]],
  ["cleanup", [/fell silent/, /once/, /--json/]],
  ["keys", [/create/, /import/, /list/, /revoke/]],
  ["keys create", [/shown only now/, /--label/, /--expires.*2027-01-31.*30d/, /--key/, /--json/]],
  ["keys import", [/a key a line/, /key,label,expires/, /repeating it is harmless/, /--json/]],
  ["keys list", [/first characters/, /--json/]],
  ["keys revoke", [/first characters/, /its id/, /live session ends/, /--json/]],
  ["sessions", [/list/, /kick/]],
  ["sessions list", [/who is on/, /--json/]],
  ["sessions kick", [/key stays good/, /--json/]],
  ["batch", [/list/, /show/, /follow/, /cancel/]],
  ["batch list", [/newest first/, /--status.*pending.*cancelled/, /--limit/, /--json/]],
  ["batch show", [/failed ones first/, /--json/]],
  ["batch follow", [/exit code 0: completed, 1: not/, /130/, /While the database is away/, /--json/]],
  ["batch cancel", [/its worker is told/, /--reason/, /--json/]],
  ["games", [/list/, /show/, /follow/, /end/]],
  ["games list", [/newest first/, /--type.*combat.*custom/, /--status.*active.*terminated/, /--limit/, /--json/]],
  ["games show", [/who takes part/, /--json/]],
  ["games follow", [/exit code 0: completed, 1: not/, /130/, /While the database is away/, /no call/, /--json/]],
  ["games end", [/as terminated/, /--reason/, /--json/]],
  ["token", [/JWT_SECRET/, /--sub/, /--role.*service/s, /--expires.*1h/s, /--json/]],
  [
    "check",
    [/spare/, /takes the key over/, /left free/, /older subset/, /--expiry/, /--json/, /Example/, /Exit codes/],
  ],
];

describe("keybeat --help", () => {
  it("lists the commands, the exit codes and examples", async () => {
    const { code, stdout, stderr } = await keybeat(["--help"]);
    expect([code, stderr]).toEqual([0, ""]);
    for (const [command] of COMMANDS) expect(stdout).toContain(command.split(" ")[0]);
    expect(stdout).toMatch(/Exit codes: 0 .*1 .*2 /);
    expect(stdout).toMatch(/Examples:\n {2}keybeat serve/);
  });

  it.each(COMMANDS)("teaches %s", async (command, mustSay) => {
    const { code, stdout, stderr } = await keybeat([...command.split(" "), "--help"]);
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toMatch(new RegExp(`^Usage: keybeat ${command}`));
    const unwrapped = stdout.replace(/\s+/g, " ");
    for (const words of mustSay) expect(unwrapped).toMatch(words);
  });

  it("prints its version", async () => {
    expect((await keybeat(["--version"])).stdout).toMatch(/^\d+\.\d+\.\d+/);
  });
});

describe("keybeat used wrongly", () => {
  const wrong: Array<[what: string, args: string[], reason: RegExp]> = [
    ["an unknown command", ["nope"], /unknown command 'nope'/],
    ["an unknown command of a group", ["keys", "nope"], /unknown command 'nope'/],
    ["an unknown option of a command", ["keys", "list", "--nope"], /unknown option '--nope'/],
    ["an unknown option before any command", ["--nope", "migrate"], /unknown option '--nope'/],
    ["an argument too few", ["keys", "revoke"], /missing required argument/],
    ["an argument too many", ["migrate", "now"], /too many arguments/],
    ["an option without its value", ["keys", "create", "--label"], /argument missing/],
    ["no command", [], /Usage: keybeat/],
    ["a group without a command", ["sessions"], /Usage: keybeat sessions/],
  ];
  it.each(wrong)("exits with 2 and the reason on stderr: %s", async (_what, args, reason) => {
    const { code, stdout, stderr } = await keybeat(args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr.split("\n")[0]).toMatch(reason);
    expect(stderr).not.toContain("    at ");
  });

  it.each([
    ["SESSION_TIMEOUT_SECONDS", "soon"],
    ["DATABASE_URL", "mysql://127.0.0.1/x"],
    ["PORT", "65536"],
  ])("exits with 2 and names a setting that makes no sense: %s=%s", async (name, value) => {
    const { code, stdout, stderr } = await keybeat(["cleanup"], {
      DATABASE_URL: "postgres://127.0.0.1/x",
      [name]: value,
    });
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toMatch(new RegExp(`^keybeat: ${name} must .*\n$`));
  });
});

describe("every command that needs the database, but serve and migrate, which wait for it,", () => {
  it.each(["cleanup", "keys list", "keys create", "sessions list"])(
    "exits with 1 and one line, no stack and no password, where it is away: %s",
    async (command) => {
      const url = "postgres://someone:the-password@127.0.0.1:1/sessions";
      const { code, stdout, stderr } = await keybeat(command.split(" "), { DATABASE_URL: url });
      expect(stderr).toMatch(/^keybeat: the database at 127\.0\.0\.1:1\/sessions cannot be reached: .*\n$/);
      expect(stdout + stderr).not.toContain("the-password");
      expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    },
  );

  it("names a database that is not there", async () => {
    const url = databaseUrl(inject("serverUrl"), "no_such_database");
    const { code, stderr } = await keybeat(["cleanup"], { DATABASE_URL: url });
    expect(stderr).toMatch(/^keybeat: the database at .*\/no_such_database cannot be reached: .*does not exist\n$/);
    expect(code).toBe(1);
  });
});
