/** What the environment says, and where its secrets come from. */
import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { type Config, findBadSettings, findDoubts, findSecretSources } from "../../config.ts";
import { device } from "../../sessions/device/kind.ts";
import { settingsOf } from "../../sessions/kinds.ts";
import { type Finding, fail, ok, warn } from "./finding.ts";

type Environment = Record<string, string | undefined>;

export function checkSettings(env: Environment = process.env): Finding[] {
  const bad = findBadSettings(env);
  const doubts = findDoubts(env).map(({ message, mend }) => warn("settings", message, mend));
  if (bad.length === 0) return [ok("settings", "every variable makes sense"), ...doubts];
  return bad.map(({ name, reason }) => fail("settings", `${name} ${reason}`, `correct ${name} in the environment`));
}

/** The settings without those that make no sense, for all that can be looked at nevertheless. */
export function usableSettings(env: Environment = process.env): { env: Environment; left: Set<string> } {
  const left = new Set<string>();
  for (;;) {
    const usable = Object.fromEntries(Object.entries(env).filter(([name]) => !left.has(name)));
    const bad = findBadSettings(usable);
    if (bad.length === 0) return { env: usable, left };
    for (const { name } of bad) for (const both of bothNames(name)) left.add(both);
  }
}

/** A secret may stand in its variable or in a file. */
function bothNames(name: string): string[] {
  const variable = name.replace(/_FILE$/, "");
  return [variable, `${variable}_FILE`];
}

/** Where each secret comes from: which of several places won is what nobody can see from outside. */
export function checkSecrets(config: Config, env: Environment = process.env): Finding[] {
  const sources = findSecretSources(env);
  const findings = Object.entries(sources).map(([name, source]) =>
    ok("secrets", `${name} is from ${source === name ? "its variable" : source}`),
  );
  if (config.adminToken !== undefined || config.databaseUrl !== undefined) return findings;
  const file = join(config.dataDir, "admin-token");
  const made = existsSync(file) ? `was made on the first run, in ${file}` : "will be made on the first run";
  return [...findings, ok("secrets", `ADMIN_TOKEN ${made}`)];
}

/** Clients that trust none of these take every answer for a fake, and whoever reads them can sign a fake. */
export function checkSigningKeys(config: Config, env: Environment = process.env): Finding[] {
  const { signingKeys } = config;
  if (signingKeys.length === 0) {
    const message = "OFFLINE_HOURS_MAX is set without SIGNING_KEY, so no leases are given: they are signed";
    const mend = "set SIGNING_KEY (keybeat signing-key create makes one), or take OFFLINE_HOURS_MAX away";
    return settingsOf(device, config.kinds).offlineHoursMax > 0 ? [warn("signatures", message, mend)] : [];
  }
  const file = findSecretSources(env).SIGNING_KEY;
  if (file !== undefined && file !== "SIGNING_KEY" && isReadableByAll(file)) {
    const message = `every user of this host can read ${file}, and sign answers that your clients believe`;
    return [warn("signatures", message, `chmod 600 ${file}; a key that others may have is to be replaced`)];
  }
  const ids = signingKeys.map(({ id }) => id).join(", ");
  return [
    ok("signatures", `answers are signed by ${ids}, the newest first; keybeat signing-key show has the public keys`),
  ];
}

/** Windows has no such modes. */
const isReadableByAll = (file: string): boolean => process.platform !== "win32" && (statSync(file).mode & 0o004) !== 0;

/** A token for another application of the same provider is as good as one for us, unless it must say whom it is for. */
export function checkUserTokens({ userTokens }: Config): Finding[] {
  if (userTokens === undefined || !("jwksUrl" in userTokens) || userTokens.audience !== undefined) return [];
  const message =
    "JWKS_URL is set without JWT_AUDIENCE, so tokens that the provider gave for any other application are taken";
  return [warn("settings", message, "set JWT_AUDIENCE to what the tokens for this service have as aud")];
}
