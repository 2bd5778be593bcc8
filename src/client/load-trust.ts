import type { StartOptions } from "./options.ts";
import type { Link } from "./platform.ts";
import type { DeviceLink } from "./request.ts";
import type { Leases } from "./trust/leases.ts";

/** The link with what the options ask for. Only apps that ask for it load it. `shared`: by a page's tabs together. */
export async function openTrust(
  link: Link,
  options: StartOptions,
  shared = false,
): Promise<{ link: DeviceLink; leases?: Leases | undefined }> {
  if (!options.proof && options.publicKey === undefined) return { link };
  const { openTrust: open } = await import("./trust/index.ts");
  return open(link, options, shared);
}
