/** keybeat token: for trying things out, and for scripts of the host. Apps get theirs from whoever signs their users in. */
import { type Command, Option } from "commander";
import { z } from "zod";
import { type Config, readConfig } from "../config.ts";
import { OperatorError, UsageError } from "../errors.ts";
import { readJwtSecret } from "../first-run.ts";
import { signToken } from "../http/sign-token.ts";
import { parseExpiry } from "../keys/expiry.ts";
import { type OutputOptions, printJson } from "./output.ts";

const SUBJECT_LENGTH_MAX = 128;

interface TokenCommandOptions extends OutputOptions {
  sub: string;
  role?: "service";
  expires: string;
}

export function addTokenCommand(program: Command): void {
  program
    .command("token")
    .description("print a user's token, signed with JWT_SECRET, or the secret that the embedded default has made")
    .requiredOption("--sub <uuid>", "whose: a player's id; with a role any name")
    .addOption(new Option("--role <role>", "what more it may: everything for everybody").choices(["service"]))
    .option("--expires <when>", "after a span (1h, 30d), through a day (UTC), or at a moment", "1h")
    .option("--json", 'print as JSON: {"token": …, "sub": …, "expires_at": …}')
    .action(async (options: TokenCommandOptions) => {
      const { role } = options;
      const sub = readSubject(options);
      const expires_at = readExpiry(options.expires);
      const config = readConfig();
      const signing = { secret: await findSecret(config), ...config.userTokenRules };
      const token = await signToken(signing, { subject: sub, role, expiresAt: expires_at });
      if (options.json) printJson({ token, sub, role, expires_at });
      else console.log(token);
    });
}

function readSubject({ sub, role }: TokenCommandOptions): string {
  if (z.guid().safeParse(sub).success) return sub.toLowerCase();
  if (role === undefined) throw new UsageError("--sub must be a UUID; only a token with --role may have another name");
  if (sub.trim() === "" || sub.length > SUBJECT_LENGTH_MAX) {
    throw new UsageError(`--sub must have 1 to ${SUBJECT_LENGTH_MAX} characters`);
  }
  return sub;
}

function readExpiry(text: string): string {
  const expiresAt = parseExpiry(text);
  if (Date.parse(expiresAt) <= Date.now()) throw new UsageError("--expires must not be over already");
  return expiresAt;
}

async function findSecret(config: Config): Promise<string> {
  const { dataDir, databaseUrl, userTokens } = config;
  if (userTokens !== undefined && "secret" in userTokens) return userTokens.secret;
  if (userTokens !== undefined) throw new OperatorError("tokens are signed by whoever publishes JWKS_URL, not here");
  if (databaseUrl !== undefined) throw new OperatorError("no JWT_SECRET is set, so this service takes no tokens");
  const secret = await readJwtSecret(config);
  if (secret === undefined) throw new OperatorError(`no secret of tokens in ${dataDir} yet; keybeat serve makes one`);
  return secret;
}
