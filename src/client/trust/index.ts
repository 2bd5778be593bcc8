/**
 * What only some apps need: proof, signatures, leases. Loaded when an option asks for it, so that the other apps do not pay.
 */
import { expectThat } from "../check-url.ts";
import type { StartOptions } from "../options.ts";
import type { Link } from "../platform.ts";
import type { DeviceLink } from "../request.ts";
import { Leases } from "./leases.ts";
import { Proof } from "./proof.ts";
import { importPublicKeys } from "./public-keys.ts";
import { signedFetch } from "./signed-fetch.ts";

/** `shared`: by a page's tabs together. Throws a TypeError where the options or the platform do not allow it. */
export async function openTrust(
  plain: Link,
  options: StartOptions,
  shared: boolean,
): Promise<{ link: DeviceLink; leases?: Leases | undefined }> {
  const { proof, publicKey, storage } = options;
  const { crypto, document } = globalThis as { crypto?: unknown; document?: unknown };
  expectThat(crypto, "proof and publicKey need the global crypto: Node 20, or any browser");
  expectThat(!proof || shared || !document, "proof in a page needs startSharedSession, as tabs can be duplicated");
  const keys = publicKey === undefined ? undefined : await importPublicKeys(publicKey);
  const link: DeviceLink = { ...plain, proof: proof ? new Proof() : undefined };
  if (keys) link.fetch = signedFetch(plain.fetch, keys);
  return { link, leases: keys && storage && !shared ? await Leases.open(link, keys, options) : undefined };
}
