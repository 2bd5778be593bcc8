/** Signs what is answered as the service does (src/trust/README.md, Signatures), with a key that is made for each server. */
import type { IncomingHttpHeaders } from "node:http";
import type { AnswerSigner, SigningRequest } from "../../trust/signing.ts";
import { createSeed, readSigningKeys, type SigningKey } from "../../trust/signing-keys.ts";

export interface FakeSigner {
  /** Also of leases. */
  readonly key: SigningKey;
  /** From now on another key signs, and says that it is this one. */
  forge(on: boolean): void;
  /** Undefined: it is not asked to sign, or not with this key. Throws an AppError for a bad nonce. */
  signerOf(request: {
    method: string;
    url: string;
    headers: IncomingHttpHeaders;
    body: SigningRequest["body"];
  }): Promise<AnswerSigner | undefined>;
}

export function createFakeSigner(): FakeSigner {
  const [key, other] = readSigningKeys(`${createSeed()} ${createSeed()}`) as [SigningKey, SigningKey];
  let isForging = false;
  return {
    key,
    forge(on) {
      isForging = on;
    },
    async signerOf({ method, url, headers, body }) {
      const nonce = headers["keybeat-nonce"];
      if (typeof nonce !== "string") return undefined;
      const { createSigning } = await import("../../trust/signing.ts"); // needs Node 20
      const trusts = headers["keybeat-trusts"]?.toString();
      const signs = createSigning([isForging ? { ...other, id: key.id } : key]);
      return signs({ method, route: url, nonce, trusts, authorization: headers.authorization, body });
    },
  };
}
