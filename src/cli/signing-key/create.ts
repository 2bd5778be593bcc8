import type { Command } from "commander";
import { createSeed, readSigningKeys, type SigningKey } from "../../trust/signing-keys.ts";
import { type OutputOptions, printJson } from "../output.ts";

export function addCreateCommand(signingKey: Command): void {
  signingKey
    .command("create")
    .description("make a key to sign answers with, and print its secret and public half; neither is stored")
    .option("--json", 'print as JSON: {"signing_key": …, "public_key": …, "key_id": …}')
    .action((options: OutputOptions) => {
      const secret = createSeed();
      const [{ id, publicKey }] = readSigningKeys(secret) as [SigningKey];
      if (options.json) printJson({ signing_key: secret, public_key: publicKey, key_id: id });
      else console.log(explain({ secret, id, publicKey }));
    });
}

const explain = ({ secret, id, publicKey }: { secret: string; id: string; publicKey: string }) =>
  `secret:     ${secret}
public key: ${publicKey}
key id:     ${id}

The secret goes into SIGNING_KEY of the service, in front of those that are there, and nowhere else. The public key goes
into the clients, as publicKey. A key that is replaced stays in SIGNING_KEY as long as some clients have only it.`;
